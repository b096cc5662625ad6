"""What a request costs, and whom. An estimate from the duration measured here; AWS's bill rounds the same way."""

import math
import re
from collections.abc import Collection
from typing import NamedTuple

from chalicelib.bodies import Request

PRICES_OF = "2025-08"
"""When these were read: AWS Lambda pricing, us-east-1, on demand, first tier, without the free tier."""
USD_PER_GB_SECOND = {"x86_64": 0.0000166667, "aarch64": 0.0000133334}
USD_PER_REQUEST = 0.20 / 1_000_000
CUSTOMER_HEADER = "x-customer-id"
CUSTOMER_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
OTHERS = "others"
"""The metric of all customers who have none of their own."""


class Customer(NamedTuple):
    """Who asked, as the log line says it, and under which name the cost is counted as a metric."""

    name: str | None
    metric: str


def cost_usd(duration_ms: float, memory_mb: int, architecture: str) -> float:
    """Lambda's price of one request: whole milliseconds of its memory, and the fee. API Gateway's is not in it."""
    return compute_usd(math.ceil(duration_ms), memory_mb, architecture) + USD_PER_REQUEST


def compute_usd(billed_ms: float, memory_mb: int, architecture: str) -> float:
    """The price of the memory alone, without the fee."""
    gb_seconds = billed_ms / 1000 * memory_mb / 1024
    return gb_seconds * USD_PER_GB_SECOND.get(architecture, USD_PER_GB_SECOND["x86_64"])


def customer_of(request: Request, known: Collection[str]) -> Customer:
    """The API key's id, else the `X-Customer-Id` header.

    Each metric costs money and anybody can send a header, so that only `known` names get one; API Gateway
    has checked a key, and the owner made it.
    """
    key = ((request.context or {}).get("identity") or {}).get("apiKeyId")
    if key and CUSTOMER_ID.fullmatch(key):
        return Customer(key, key)
    name = request.headers.get(CUSTOMER_HEADER)
    if not name or not CUSTOMER_ID.fullmatch(name):
        return Customer(None, OTHERS)
    return Customer(name, name if name in known else OTHERS)
