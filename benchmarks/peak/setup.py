"""What one simulation is made of."""

from dataclasses import dataclass

import numpy as np

from benchmarks.peak.durations import Durations
from benchmarks.peak.fleet import Bucket, Fleet
from benchmarks.peak.limits import (
    ACCOUNT_CONCURRENCY,
    FRONTS,
    FUNCTION_TIMEOUT_S,
    STAGE_BURST,
    STAGE_RATE,
    Front,
)
from benchmarks.peak.path import Path

BACKOFF_S, MOST_BACKOFF_S = 1.0, 20.0
"""A client's wait before its next try: evenly between 0 and this, doubled with each try, up to the most."""


@dataclass(frozen=True)
class Load:
    """Requests, from 0 s on."""

    per_minute: int
    minutes: int = 1
    after: int = 1
    """Minutes without load that are shown as well."""
    even: bool = False
    """Evenly spread, and not at random (a Poisson process whose number in each minute is given)."""

    only_s: float = float("inf")
    """Requests after this time are left out."""

    @property
    def per_second(self) -> float:
        """On average."""
        return self.per_minute / 60

    def arrivals_s(self, rng: np.random.Generator) -> np.ndarray:
        """The times of all requests, rising."""
        if self.even:
            all_s = np.arange(self.per_minute * self.minutes) / self.per_second
        else:
            starts_s = 60.0 * np.arange(self.minutes)[:, None]
            all_s = np.sort(starts_s + 60 * rng.random((self.minutes, self.per_minute)), axis=None)
        return all_s[all_s < self.only_s]


@dataclass(frozen=True)
class Setup:
    """A deployment and its load."""

    load: Load
    durations: Durations
    memory_mb: int
    arch: str
    front_name: str = "http"
    rate: float = STAGE_RATE
    burst: float = STAGE_BURST
    """The stage's throttle; a function URL has none."""
    account_rate: float | None = None
    """API Gateway's throttle of the account, if AWS has raised it."""
    account_limit: int = ACCOUNT_CONCURRENCY
    reserved: int | None = None
    provisioned: int = 0
    warm_in_init: bool = False
    """WARM_IN_INIT of the function, which loads the model before a provisioned environment gets a request."""
    retries: int = 0
    """Further tries of a client whose request was throttled."""
    seed: int = 1

    @property
    def front(self) -> Front:
        """What stands before the function."""
        return FRONTS[self.front_name]

    @property
    def limit(self) -> int:
        """Concurrency of the function."""
        return self.account_limit if self.reserved is None else min(self.reserved, self.account_limit)

    def path(self, rng: np.random.Generator) -> Path:
        """A fresh one, in which nothing has run."""
        throttles = []
        if self.front.account_rate is not None:
            throttles.append(Bucket(self.rate, self.burst))
            throttles.append(Bucket(self.account_rate or self.front.account_rate, self.front.account_burst))
        fleet = Fleet(self.durations, self.limit, self.provisioned, FUNCTION_TIMEOUT_S, rng, self.warm_in_init)
        return Path(throttles, fleet, self.front.timeout_s, FUNCTION_TIMEOUT_S)
