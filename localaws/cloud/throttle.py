"""The throttle of an API's stage: a bucket of tokens, filled at the stage's rate up to its burst.

Source: API Gateway developer guide, "Throttle requests to your HTTP APIs".
"""

import threading
import time
from collections.abc import Callable


class Throttle:
    """Buckets by name, full at first."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._lock = now, threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}
        """Tokens, and when they were counted."""

    def takes(self, name: str, rate: float, burst: float) -> bool:
        """Take a token, if there is one. `rate` is tokens a second."""
        with self._lock:
            now = self._now()
            tokens, then = self._buckets.get(name, (burst, now))
            tokens = min(burst, tokens + (now - then) * rate)
            taken = tokens >= 1
            self._buckets[name] = (tokens - taken, now)
            return taken
