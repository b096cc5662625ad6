"""The same pictures through the queue: SQS's pollers and the workers, until the last result."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np

from benchmarks.peak.durations import draws
from benchmarks.peak.limits import FIRST_POLLERS, MOST_POLLERS, POLLERS_PER_MINUTE
from benchmarks.peak.prices import PUT_USD
from benchmarks.peak.setup import Setup
from chalicelib.batch.cost import PICTURES_AT_ONCE, estimate
from chalicelib.pricing import compute_usd


@dataclass(frozen=True)
class Batched:
    """What became of the pictures."""

    workers: int
    """The most that work at once."""
    last_s: float
    """From the first picture to the last result."""
    latency_s: np.ndarray
    """From each picture's message to its result."""
    usd: float
    """Lambda, SQS, S3 and DynamoDB, by `chalicelib.batch.cost`."""
    upload_usd: float
    """What it costs to put the pictures into S3, if they are not there."""


def simulate_batch(setup: Setup, workers: int) -> Batched:
    """Messages that come as the API's requests do; a picture takes a warm request's time, a worker's first a cold one.

    `workers`: the mapping's MaximumConcurrency.
    """
    rng = np.random.default_rng(setup.seed)
    arrived_s = setup.load.arrivals_s(rng).tolist()
    pollers = list(_pollers_s(min(workers, setup.account_limit)))
    new, count = len(pollers), len(arrived_s)
    first, warm = draws(setup.durations.first_s + setup.durations.init_s, rng), draws(setup.durations.warm_s, rng)
    free_s = [(start_s, True) for start_s in pollers]
    heapify(free_s)
    done_s, busy_s, at, used = [0.0] * count, 0.0, 0, 0
    while at < count:
        start_s, cold = heappop(free_s)
        start_s, end = max(start_s, arrived_s[at]), at + 1
        while end < count and end < at + PICTURES_AT_ONCE and arrived_s[end] <= start_s:
            end += 1
        duration_s = sum(next(warm) for _ in range(end - at - cold)) + (next(first) if cold else 0.0)
        done_s[at:end] = [start_s + duration_s] * (end - at)
        busy_s, at, used = busy_s + duration_s, end, used + cold
        heappush(free_s, (start_s + duration_s, False))
    others_usd = estimate(count, 0.0)["total_usd"]  # its Lambda part is for x86_64 alone
    compute = compute_usd(busy_s * 1000, setup.memory_mb, setup.arch)
    latency_s = np.array(done_s) - np.array(arrived_s)
    return Batched(min(used, new), max(done_s), latency_s, others_usd + compute, count * PUT_USD)


def _pollers_s(most: int) -> Iterator[float]:
    """When each poller begins, if messages always wait."""
    for number in range(min(most, MOST_POLLERS)):
        yield max(0, number + 1 - FIRST_POLLERS) * 60 / POLLERS_PER_MINUTE
