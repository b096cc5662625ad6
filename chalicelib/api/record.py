"""What is known of one request when it ends: its log line and its metrics are made of this."""

from typing import Any

from chalicelib.split import Arm


class RequestRecord:
    """The facts of one request. A field is None if it does not apply, or if the request ended before it was known.

    Not a dataclass: every cold start would pay a millisecond for the methods that one generates.
    """

    status: int = 200
    payload_bytes: int | None = None
    experiment: str | None = None
    arm: Arm | None = None
    fallback_reason: str | None = None
    """Why the first model answers in the second one's arm."""
    fallback_traceback: str | None = None
    cold_start: bool | None = None
    """Whether this is the first answer of the process; None: no model answered."""
    model: str | None = None
    version: str | None = None
    first_answer: dict[str, Any] | None = None
    """What the process cost until its first answer, what it runs on, and codes of warnings (`ModelStore.setup`)."""
    fallback: bool | None = None
    code: str | None = None
    """The error's, one of those in `statuses`."""
    error: str | None = None
    traceback: str | None = None
    batch: str | None = None

    def line(self) -> dict[str, Any]:
        """The fields of the log line, in the order in which they are declared here, without those that do not apply."""
        line: dict[str, Any] = {}
        for name in type(self).__annotations__:  # of the class: from Python 3.14 on, instances have none
            value = getattr(self, name)
            if value is not None and name != "status":
                line |= value if name == "first_answer" else {_KEYS.get(name, name): value}
        return line


_KEYS = {"fallback_traceback": "traceback"}
