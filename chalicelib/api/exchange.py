"""One request on its way to its answer: its id, its spans, its log line, and what becomes of its errors."""

import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from chalicelib.api.bodies import Request
from chalicelib.api.metrics import Meter
from chalicelib.statuses import error_answer
from chalicelib.telemetry import Spans, log, milliseconds_since, server_timing

Body = dict[str, Any]


class Document(NamedTuple):
    """An answer that is text already, with headers of its own: the page, the contract."""

    text: str
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """A status, JSON or text, and headers."""

    status: int
    body: Body | str
    headers: dict[str, str]


class Exchange:
    """What is known of one request, until its answer and its one log line are made of it."""

    def __init__(self, request: Request, meter: Meter) -> None:
        self._request, self._meter, self._began = request, meter, time.perf_counter()
        self.id = str((request.context or {}).get("requestId") or uuid.uuid4())
        self.spans = Spans()
        self.fields: Body = {}
        """What the log line will say besides."""

    def answer(self, view: Callable[["Exchange"], Body | Document]) -> Answer:
        """Run a view, map what it raises, log one line. A view changes the status by `fields["status"]`."""
        status = 200
        try:
            with self.spans.measure("total"):
                content = view(self)
            status = self.fields.pop("status", 200)
        except Exception as error:
            status, content = error_answer(error)
            self.fields.update(code=content["Code"], error=str(error))
            if status >= 500:
                self.fields["traceback"] = traceback.format_exc()
        duration_ms = milliseconds_since(self._began)
        metered = self._meter.fields(self._request, status, duration_ms, self.spans, self.fields)
        about = {"request_id": self.id, "path": self._request.path, "status": status}
        log("request", **about, **self.fields, spans_ms=self.spans, **metered)
        if isinstance(content, Document):
            return Answer(status, content.text, {**content.headers, **self._headers()})
        if "predictions" in content:
            content.update(timing_ms=dict(self.spans), cold_start=self.fields["cold_start"])
        return Answer(status, {**content, "request_id": self.id}, self._headers())

    def _headers(self) -> dict[str, str]:
        timing = {"Server-Timing": server_timing(self.spans)} if self.spans else {}
        return {"X-Request-Id": self.id, **timing}
