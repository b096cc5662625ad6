"""What a load costs, in US dollars by part. Lambda's and the fronts' prices are where the other tools have them."""

import math

import numpy as np

from benchmarks.peak.limits import PROVISIONED_PER_MINUTE
from benchmarks.peak.setup import Setup
from benchmarks.peak.simulation import Requests
from benchmarks.tune.prices import USD_PER_CALL
from chalicelib.pricing import USD_PER_REQUEST, compute_usd

LOG_USD_PER_BYTE = 0.50e-9
"""CloudWatch Logs, standard class, ingestion, us-east-1. Source: Amazon CloudWatch pricing."""
LINE_BYTES, ACCESS_LINE_BYTES = 776, {"HTTP API": 127}
"""What CloudWatch counts of the app's line for a request, and of a front's access log, as in docs/costs.md."""
ALLOCATED_USD_PER_GB_S = {"x86_64": 0.0000041667, "arm64": 0.0000033334}
PROVISIONED_USD_PER_GB_S = {"x86_64": 0.0000097222, "arm64": 0.0000077778}
"""Provisioned concurrency: while it is allocated, and while its environments work. Source: AWS Lambda pricing."""
ALLOCATION_STEP_MIN = 5
"""The time of allocation is rounded up to five minutes. Source: AWS Lambda pricing."""
PUT_USD = 0.005 / 1000
"""One upload to S3. Source: Amazon S3 pricing, standard class, us-east-1."""
PARTS = ("lambda", "requests", "front", "logs", "provisioned")


def of_requests(setup: Setup, requests: Requests, chosen: np.ndarray) -> dict[str, float]:
    """The dollars of those requests for which `chosen` is true, without the allocation of provisioned concurrency.

    A throttled try costs nothing at the front that refuses it, and what Lambda refuses costs the front's price.
    """
    billed_ms = np.ceil(requests.duration_s * 1000 - 1e-9)
    ordinary_ms = float(billed_ms[chosen & ~requests.provisioned].sum())
    provisioned_s = float(billed_ms[chosen & requests.provisioned].sum()) / 1000
    invoked, passed = int(requests.invoked[chosen].sum()), int(requests.passed[chosen].sum())
    front = setup.front.name
    log_bytes = invoked * LINE_BYTES + passed * ACCESS_LINE_BYTES.get(front, 0)
    gb = setup.memory_mb / 1024
    return {
        "lambda": compute_usd(ordinary_ms, setup.memory_mb, setup.arch)
        + provisioned_s * gb * PROVISIONED_USD_PER_GB_S[setup.arch],
        "requests": invoked * USD_PER_REQUEST,
        "front": passed * USD_PER_CALL[front],
        "logs": log_bytes * LOG_USD_PER_BYTE,
        "provisioned": 0.0,
    }


def allocation_usd(setup: Setup) -> float:
    """Provisioned concurrency, from when it is ordered until the load ends."""
    minutes = setup.provisioned / PROVISIONED_PER_MINUTE + setup.load.minutes
    billed_s = 60 * ALLOCATION_STEP_MIN * math.ceil(minutes / ALLOCATION_STEP_MIN)
    return setup.provisioned * setup.memory_mb / 1024 * billed_s * ALLOCATED_USD_PER_GB_S[setup.arch]


def in_all(setup: Setup, requests: Requests) -> dict[str, float]:
    """The dollars of the whole load."""
    every = np.ones(len(requests.arrived_s), dtype=bool)
    return {**of_requests(setup, requests, every), "provisioned": allocation_usd(setup)}
