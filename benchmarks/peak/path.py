"""The way of a request: the throttles of what stands before the function, then Lambda."""

from benchmarks.peak.fleet import WARM, Bucket, Fleet

ANSWERED, TIMED_OUT, THROTTLED_BY_FRONT, THROTTLED_BY_LAMBDA = range(4)
"""What becomes of a request. The last two come at once, and clients may try again."""

Try = tuple[int, float, int]
"""What became of it, the invocation's duration in s (0 without one), and in what it ran."""
_BY_FRONT: Try = (THROTTLED_BY_FRONT, 0.0, WARM)
_BY_LAMBDA: Try = (THROTTLED_BY_LAMBDA, 0.0, WARM)


class Path:
    """Takes tries in the order of time."""

    def __init__(self, throttles: list[Bucket], fleet: Fleet, timeout_s: float, function_timeout_s: float) -> None:
        """`timeout_s`: when the front answers in place of the function, which works on."""
        self._throttles, self.fleet = throttles, fleet
        self._timeout_s, self._function_timeout_s = timeout_s, function_timeout_s

    def offer(self, now: float) -> Try:
        """One try at `now`."""
        for throttle in self._throttles:
            if not throttle.has(now):
                return _BY_FRONT
        for throttle in self._throttles:
            throttle.tokens -= 1
        started = self.fleet.start(now)
        if started is None:
            return _BY_LAMBDA
        duration_s, kind = started
        late = duration_s > self._timeout_s or duration_s >= self._function_timeout_s
        return TIMED_OUT if late else ANSWERED, duration_s, kind
