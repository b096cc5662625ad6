"""Runs a load through a deployment, request by request."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peak.fleet import COLD, PROVISIONED
from benchmarks.peak.path import ANSWERED, THROTTLED_BY_FRONT
from benchmarks.peak.setup import BACKOFF_S, MOST_BACKOFF_S, Setup

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Requests:
    """What became of each request: arrays of one length, in the order in which the requests came."""

    arrived_s: Array
    outcome: Array
    """As `benchmarks.peak.path` numbers them."""
    latency_s: Array
    """From its first try to its last response, waiting between tries included."""
    duration_s: Array
    """Of its invocation; 0 if there was none."""
    kind: Array
    """In what it ran, as `benchmarks.peak.fleet` numbers it."""
    passed: Array
    """Its tries that the front let pass, and bills."""
    tries: Array
    cold_at_s: Array
    """When each environment was started for a request."""
    lost_at_s: Array
    """When each environment ended that took too long."""

    @property
    def answered(self) -> Array:
        """Which of them were answered."""
        return np.equal(self.outcome, ANSWERED)

    @property
    def throttled(self) -> Array:
        """Which of them ended with a status such as 429."""
        return np.greater_equal(self.outcome, THROTTLED_BY_FRONT)

    @property
    def invoked(self) -> Array:
        """Which of them reached the function."""
        return np.greater(self.duration_s, 0)

    @property
    def cold(self) -> Array:
        """Which of them waited for a new environment."""
        return self.invoked & np.equal(self.kind, COLD)

    @property
    def provisioned(self) -> Array:
        """Which of them ran in an environment of provisioned concurrency."""
        return self.invoked & np.equal(self.kind, PROVISIONED)

    @property
    def unanswered_share(self) -> float:
        """The share of all that were throttled or timed out for good."""
        return float(1 - self.answered.mean())


def backoff_s(tried: int, chance: random.Random) -> float:
    """How long a client waits after its `tried`th throttled try, from 1 on: "full jitter"."""
    return chance.uniform(0, min(MOST_BACKOFF_S, BACKOFF_S * 2 ** (tried - 1)))


def simulate(setup: Setup) -> Requests:
    """Every request to its end. The same setup gives the same result."""
    rng, chance = np.random.default_rng(setup.seed), random.Random(setup.seed)
    arrived_s = setup.load.arrivals_s(rng)
    path, count = setup.path(rng), len(arrived_s)
    outcome, kind, passed, tries = bytearray(count), bytearray(count), bytearray(count), bytearray(count)
    duration_s, tried_at_s = [0.0] * count, arrived_s.tolist()
    again: list[tuple[float, int]] = []
    for now, index in _in_order(tried_at_s, again) if setup.retries else zip(tried_at_s, range(count), strict=True):
        what, duration_s[index], kind[index] = path.offer(now)
        tries[index] += 1
        passed[index] += what != THROTTLED_BY_FRONT
        if what >= THROTTLED_BY_FRONT and tries[index] <= setup.retries:
            heappush(again, (now + backoff_s(tries[index], chance), index))
        else:
            outcome[index], tried_at_s[index] = what, now
    return Requests(
        arrived_s=arrived_s,
        outcome=_numbers(outcome),
        latency_s=np.array(tried_at_s) - arrived_s + np.minimum(duration_s, setup.front.timeout_s),
        duration_s=np.array(duration_s),
        kind=_numbers(kind),
        passed=_numbers(passed),
        tries=_numbers(tries),
        cold_at_s=np.array(path.fleet.cold_at_s),
        lost_at_s=np.array(path.fleet.lost_at_s),
    )


def _in_order(arrived_s: list[float], again: list[tuple[float, int]]) -> Iterator[tuple[float, int]]:
    """First tries and those of the heap `again`, which the caller fills, in the order of time."""
    for index in range(len(arrived_s)):
        now = arrived_s[index]
        while again and again[0][0] <= now:
            yield heappop(again)
        yield now, index
    while again:
        yield heappop(again)


def _numbers(values: bytearray) -> Array:
    return np.frombuffer(values, dtype=np.uint8).astype(np.int64)
