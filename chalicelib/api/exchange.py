"""One request on its way to its response: its id, its spans, its log line, and what becomes of its errors."""

import time
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from chalicelib import strict_json
from chalicelib.api.bodies import Request
from chalicelib.api.metrics import metered
from chalicelib.api.record import RequestRecord
from chalicelib.config import Settings
from chalicelib.statuses import error_answer
from chalicelib.telemetry import Spans, log, milliseconds_since

Body = dict[str, Any]


class Document(NamedTuple):
    """An answer that is text already, with its own headers: the page, the contract."""

    text: str
    headers: Mapping[str, str]


class Exchange:
    """A `with` block around a view. What the block raises becomes the answer; its end writes the log line.

    The block calls `answer` with its content and sets what it knows in `record`.
    """

    def __init__(self, request: Request, settings: Settings, *, foreign: bool = False) -> None:
        """`foreign`: the answer is another protocol's. Nothing is added to it, and an error is `{"error": "..."}`."""
        self._settings, self._began = settings, time.perf_counter()
        self.request = request
        given = str((request.context or {}).get("requestId") or "")
        self.id = given if given.isascii() and given.isprintable() and given else _new_id()  # it is a header
        self.spans, self.record = Spans(), RequestRecord()
        self._content: Body | Document = {}
        self._is_timed, self._is_foreign = False, foreign

    def answer(self, content: Body | Document, status: int = 200, *, timed: bool = False) -> None:
        """Set the answer; `timed` adds `timing_ms` and `cold_start` to it."""
        self._content, self.record.status, self._is_timed = content, status, timed

    def fail(self, error: Exception) -> Body:
        """Set the answer that an error becomes, and return its body."""
        status, body = error_answer(error)
        self.record.code, self.record.error = body["Code"], str(error)
        if status >= 500:
            self.record.traceback = "".join(traceback.format_exception(error))
        content: Body = {"error": body["Message"]} if self._is_foreign else dict(body)
        self.answer(content, status)
        return content

    def note_fallback(self, error: Exception) -> None:
        """Another model answers: the log line says why, and the time of the one that failed counts for no span."""
        self.record.fallback_reason = f"{type(error).__name__}: {error}"
        self.record.fallback_traceback = "".join(traceback.format_exception(error))
        self.spans.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> bool:
        if error is None:
            self.spans["total"] = milliseconds_since(self._began)
        elif isinstance(error, Exception):
            self.fail(error)
        else:
            return False
        duration_ms, record = milliseconds_since(self._began), self.record
        about = {"request_id": self.id, "path": self.request.path, "status": record.status}
        measured = metered(self._settings, self.request, record, self.spans, duration_ms)
        log("request", **about, **record.line(), **measured)
        return True

    def body(self) -> str:
        """The text of the response, once the block has ended; ValueError if it would be no strict JSON."""
        if isinstance(self._content, Document):
            return self._content.text
        if self._is_foreign:
            return strict_json.dumps(self._content)
        timing = {"timing_ms": dict(self.spans), "cold_start": self.record.cold_start} if self._is_timed else {}
        return strict_json.dumps({**self._content, **timing, "request_id": self.id})

    def headers(self) -> dict[str, str]:
        """The headers of the response, once the block has ended."""
        own = self._content.headers if isinstance(self._content, Document) else {"Content-Type": "application/json"}
        timing = {"Server-Timing": server_timing(self.spans)} if self.spans else {}
        return {**own, "X-Request-Id": self.id, **timing}


def server_timing(spans: Mapping[str, float]) -> str:
    """Durations in ms as the `Server-Timing` header has them, which browsers show beside a request.

    Source: W3C Server Timing, "The Server-Timing Header Field".
    """
    return ", ".join(f"{name};dur={duration_ms}" for name, duration_ms in spans.items())


def _new_id() -> str:
    """For a request without an id: API Gateway gives each one."""
    import uuid  # so Lambda's processes do without it

    return str(uuid.uuid4())
