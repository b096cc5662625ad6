"""Fails one call of AWS, whichever it is: refused, not sent, or done without an answer."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

Kind = Literal["refused", "reset", "lost"]
KINDS: tuple[Kind, ...] = ("refused", "reset", "lost")


def minute() -> float:
    """What is left of a function's time, in ms."""
    return 60_000.0


class Faults:
    """Counts the calls of its clients, and fails the one with the number `at`, counted from 0."""

    def __init__(self, kind: Kind) -> None:
        self._kind, self._lock = kind, threading.Lock()
        self.at: int | None = None
        self.calls: list[str] = []
        """The names of all calls since `begin`."""

    def begin(self, at: int | None) -> None:
        """Count from 0 again."""
        self.at, self.calls = at, []

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Count and fail nothing meanwhile: Lambda, not a function, makes these calls."""
        at, calls = self.at, self.calls
        self.begin(None)
        try:
            yield
        finally:
            self.at, self.calls = at, calls

    def over(self, aws: Callable[[str], Any], *services: str) -> None:
        """Watch these clients."""
        for service in services:
            events = aws(service).meta.events
            events.register("before-call", self._before)
            events.register("after-call", self._after)

    def _before(self, model: Any, context: dict[str, Any], **_: Any) -> None:
        from botocore.exceptions import ClientError, ConnectionClosedError

        with self._lock:
            context["fails"] = self.at is not None and len(self.calls) == self.at
            self.calls.append(f"{model.service_model.service_name}.{model.name}")
        if context["fails"] and self._kind == "refused":
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, model.name)
        if context["fails"] and self._kind == "reset":
            raise ConnectionClosedError(endpoint_url="https://aws")

    def _after(self, context: dict[str, Any], **_: Any) -> None:
        from botocore.exceptions import ReadTimeoutError

        if context.get("fails") and self._kind == "lost":
            raise ReadTimeoutError(endpoint_url="https://aws")
