"""A simulation in figures: of the whole, of each minute, of each 10 s."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.peak import prices
from benchmarks.peak.path import THROTTLED_BY_FRONT, THROTTLED_BY_LAMBDA, TIMED_OUT
from benchmarks.peak.setup import Setup
from benchmarks.peak.simulation import Requests

PERCENTILES = (50, 90, 99, 100)


@dataclass(frozen=True)
class Period:
    """The requests that came from `start_s` on, for `seconds`; what became of them may be later."""

    start_s: float
    seconds: float
    offered: int
    answered: int
    throttled_by_front: int
    throttled_by_lambda: int
    timed_out: int
    cold_starts: int
    environments: int
    """At its end, idle ones and those of provisioned concurrency included."""
    latency_ms: tuple[float, ...] | None
    """Of the answered ones: `PERCENTILES`. None if there are none."""
    usd: dict[str, float]
    """By `prices.PARTS`."""

    @property
    def throttled_share(self) -> float:
        """Of the offered ones; 0 if there are none."""
        return (self.throttled_by_front + self.throttled_by_lambda) / max(1, self.offered)

    @property
    def total_usd(self) -> float:
        """All parts."""
        return sum(self.usd.values())

    def as_json(self) -> dict[str, Any]:
        """All fields, and the shares."""
        return {**asdict(self), "throttled_share": self.throttled_share, "total_usd": self.total_usd}


def whole(setup: Setup, requests: Requests) -> Period:
    """Everything, with the allocation of provisioned concurrency."""
    seconds = 60.0 * (setup.load.minutes + setup.load.after)
    every = np.ones(len(requests.arrived_s), dtype=bool)
    return _period(setup, requests, every, 0.0, seconds, prices.in_all(setup, requests))


def split(setup: Setup, requests: Requests, seconds: float, start_s: float, end_s: float) -> Iterator[Period]:
    """Periods of `seconds` from `start_s` to `end_s`."""
    for begin_s in np.arange(start_s, end_s, seconds):
        chosen = (requests.arrived_s >= begin_s) & (requests.arrived_s < begin_s + seconds)
        usd = prices.of_requests(setup, requests, chosen)
        yield _period(setup, requests, chosen, float(begin_s), seconds, usd)


def minutes(setup: Setup, requests: Requests) -> list[Period]:
    """Each minute, those after the load included."""
    return list(split(setup, requests, 60.0, 0.0, 60.0 * (setup.load.minutes + setup.load.after)))


def peak(setup: Setup, requests: Requests) -> list[Period]:
    """The minute with the most throttled requests, and the first of equal ones, in steps of 10 s."""
    worst = max(minutes(setup, requests), key=lambda one: (one.throttled_share, one.cold_starts))
    return list(split(setup, requests, 10.0, worst.start_s, worst.start_s + 60.0))


def _period(
    setup: Setup, requests: Requests, chosen: np.ndarray, start_s: float, seconds: float, usd: dict[str, float]
) -> Period:
    outcome, end_s = requests.outcome[chosen], start_s + seconds
    latency_ms = 1000 * requests.latency_s[chosen & requests.answered]
    environments = setup.provisioned + int((requests.cold_at_s < end_s).sum()) - int((requests.lost_at_s < end_s).sum())
    return Period(
        start_s=start_s,
        seconds=seconds,
        offered=int(chosen.sum()),
        answered=len(latency_ms),
        throttled_by_front=int((outcome == THROTTLED_BY_FRONT).sum()),
        throttled_by_lambda=int((outcome == THROTTLED_BY_LAMBDA).sum()),
        timed_out=int((outcome == TIMED_OUT).sum()),
        cold_starts=int(((requests.cold_at_s >= start_s) & (requests.cold_at_s < end_s)).sum()),
        environments=environments,
        latency_ms=tuple(np.percentile(latency_ms, PERCENTILES).round(1).tolist()) if len(latency_ms) else None,
        usd=usd,
    )
