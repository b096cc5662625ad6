"""The environments of one function, and the buckets of tokens that bound them. Times are in s from the load's start.

A million requests pass through here one by one, which is why it has plain tuples and heaps of plain numbers.
"""

from heapq import heappop, heappush

import numpy as np

from benchmarks.peak.durations import Durations, draws
from benchmarks.peak.limits import REQUESTS_PER_ENVIRONMENT, SCALING_BURST, SCALING_PER_S

WARM, COLD, PROVISIONED = range(3)
"""In what an invocation runs: an environment that was used before, a new one, one of provisioned concurrency."""


class Bucket:
    """Tokens, full at first, refilled at `rate` a second up to `burst`."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self.tokens, self._then = burst, 0.0

    def has(self, now: float) -> bool:
        """Whether there is a token, which the caller takes from `tokens`. `now` never falls."""
        tokens = self.tokens + (now - self._then) * self.rate
        self.tokens = tokens = tokens if tokens < self.burst else self.burst
        self._then = now
        return tokens >= 1


class Fleet:
    """Takes invocations in the order of time, one at a time in each environment."""

    def __init__(
        self,
        durations: Durations,
        limit: int,
        provisioned: int,
        timeout_s: float,
        rng: np.random.Generator,
        warm_in_init: bool = False,
    ) -> None:
        """`limit`: the function's reserved concurrency, or the account's; it includes `provisioned`.

        `warm_in_init`: whether INIT loads the model, so that a provisioned environment's first request is a warm one.
        """
        self._limit, self._provisioned, self._timeout_s = limit, min(provisioned, limit), timeout_s
        self._init, self._first = draws(durations.init_s, rng), draws(durations.first_s, rng)
        self._warm = draws(durations.warm_s, rng)
        self._scaling = Bucket(SCALING_PER_S, SCALING_BURST)
        allowed = REQUESTS_PER_ENVIRONMENT * min(limit, self._provisioned + SCALING_BURST)
        self._requests = Bucket(allowed, allowed)
        self._busy: list[float] = []
        self._busy_provisioned: list[float] = []
        self._failing: list[float] = []
        """When each invocation ends; the last list has those that the function's time-out ends."""
        self._idle, self._idle_provisioned = 0, self._provisioned
        self._unused = 0 if warm_in_init else self._provisioned
        self.cold_at_s: list[float] = []
        """When each environment was started for a request."""
        self.lost_at_s: list[float] = []
        """When each environment ended whose invocation took too long."""

    def start(self, now: float) -> tuple[float, int] | None:
        """Its duration in s, at most the time-out, and in what it runs; None if Lambda throttles it."""
        self._release(now)
        if len(self._busy) + len(self._busy_provisioned) + len(self._failing) >= self._limit:
            return None
        cold = not (self._idle or self._idle_provisioned)
        self._grow(now)
        if not self._requests.has(now) or (cold and not self._scaling.has(now)):
            return None
        self._requests.tokens -= 1
        if cold:
            return self._run(now, self._new(now), COLD)
        if self._idle_provisioned:
            return self._run(now, self._from_provisioned(), PROVISIONED)
        self._idle -= 1
        return self._run(now, next(self._warm), WARM)

    def _grow(self, now: float) -> None:
        """The requests a second that Lambda takes grow with what the scaling rate allows."""
        allowed = self._provisioned + SCALING_BURST + SCALING_PER_S * now
        bucket = self._requests
        bucket.rate = bucket.burst = REQUESTS_PER_ENVIRONMENT * (allowed if allowed < self._limit else self._limit)

    def _new(self, now: float) -> float:
        self._scaling.tokens -= 1
        self.cold_at_s.append(now)
        return next(self._init) + next(self._first)

    def _from_provisioned(self) -> float:
        self._idle_provisioned -= 1
        if self._unused:
            self._unused -= 1
            return next(self._first)
        return next(self._warm)

    def _run(self, now: float, wanted_s: float, kind: int) -> tuple[float, int]:
        if wanted_s >= self._timeout_s:
            wanted_s = self._timeout_s
            if kind != PROVISIONED:  # Lambda replaces a provisioned environment that ends
                heappush(self._failing, now + wanted_s)
                return wanted_s, kind
        heappush(self._busy_provisioned if kind == PROVISIONED else self._busy, now + wanted_s)
        return wanted_s, kind

    def _release(self, now: float) -> None:
        busy = self._busy
        while busy and busy[0] <= now:
            heappop(busy)
            self._idle += 1
        busy = self._busy_provisioned
        while busy and busy[0] <= now:
            heappop(busy)
            self._idle_provisioned += 1
        while self._failing and self._failing[0] <= now:
            self.lost_at_s.append(heappop(self._failing))
