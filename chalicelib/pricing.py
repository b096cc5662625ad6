"""AWS Lambda's prices. An estimate from the duration measured here; AWS's bill rounds the same way."""

import math

PRICES_OF = "2025-08"
"""When these were read: AWS Lambda pricing, us-east-1, on demand, first tier, without the free tier."""
USD_PER_GB_SECOND = {"x86_64": 0.0000166667, "aarch64": 0.0000133334}
USD_PER_REQUEST = 0.20 / 1_000_000
RESTORE_USD_PER_GB = 0.0001397998
"""SnapStart for Python: each start of a process from a snapshot. The INIT phase is then part of no start."""


def cost_usd(duration_ms: float, memory_mb: int, architecture: str) -> float:
    """Lambda's price of one request: whole milliseconds of its memory, and the fee. API Gateway's is not in it."""
    return compute_usd(math.ceil(duration_ms), memory_mb, architecture) + USD_PER_REQUEST


def compute_usd(billed_ms: float, memory_mb: int, architecture: str) -> float:
    """The price of the memory alone, without the fee. `architecture`: Lambda's name or the kernel's."""
    gb_seconds = billed_ms / 1000 * memory_mb / 1024
    return gb_seconds * USD_PER_GB_SECOND[_MACHINES.get(architecture, "x86_64")]


def restore_usd(memory_mb: int) -> float:
    """The price of a start from a snapshot."""
    return memory_mb / 1024 * RESTORE_USD_PER_GB


_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}
"""Lambda's names of processors, and the kernel's, to the kernel's."""
