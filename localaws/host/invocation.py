"""One event on its way through an instance, and what comes back."""

import json
import threading
import time
import uuid
from dataclasses import dataclass, field

MAX_RESPONSE_BYTES = 6_291_556
"""Synchronous answers (AWS Lambda developer guide, "Lambda quotas": 6 MB, and the number in its error)."""


@dataclass
class Invocation:
    """An event for the runtime client to fetch, and the place for its answer."""

    payload: bytes
    arn: str
    timeout_s: float
    trace: str = ""
    """What X-Amzn-Trace-Id carries on, or empty."""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    deadline: float = 0.0
    """A value of `time.monotonic()`; from the start of the handler, not of the instance."""
    deadline_epoch_ms: int = 0
    fetched: bool = False
    answer: bytes = b""
    error_type: str | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Start the clock."""
        self.deadline = time.monotonic() + self.timeout_s
        self.deadline_epoch_ms = int((time.time() + self.timeout_s) * 1000)

    def respond(self, body: bytes) -> None:
        """The handler returned `body`."""
        if len(body) > MAX_RESPONSE_BYTES:
            message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
            self.fail("Function.ResponseSizeTooLarge", error_payload("Function.ResponseSizeTooLarge", message))
        else:
            self.answer = body
            self.done.set()

    def fail(self, error_type: str, body: bytes) -> None:
        """The handler raised, or returned what cannot be sent."""
        self.error_type, self.answer = error_type, body
        self.done.set()


@dataclass(frozen=True)
class Fault:
    """Why an instance cannot be used any longer."""

    error_type: str
    """As the caller sees it."""
    message: str
    status: str = "error"
    """`error` or `timeout`, as in the log's REPORT line."""
    logged_type: str = ""
    """As the REPORT line has it, if that says more, as for Runtime.OutOfMemory."""
    payload: bytes = b""
    """What the runtime client itself reported, if it did."""

    def answer(self, request_id: str) -> bytes:
        """The payload that Lambda gives the caller."""
        return self.payload or error_payload(self.error_type, f"RequestId: {request_id} Error: {self.message}")


@dataclass(frozen=True)
class Result:
    """What an invocation returned, and what its REPORT line says."""

    request_id: str
    payload: bytes
    """JSON: what the handler returned, or an object with `errorMessage` and `errorType`."""
    function_error: str | None
    """`Unhandled` when the function failed, as in Lambda's X-Amz-Function-Error."""
    log: str
    """Everything this invocation wrote, with Lambda's own lines; a cold start's from INIT_START on."""
    log_stream: str
    duration_ms: float
    init_ms: float | None
    """None if the instance was warm."""
    max_memory_mb: int
    crowded_ms: float = 0.0
    """How long the function's threads waited, added up, for a processor that other programs used."""

    def json(self) -> object:
        """The payload, parsed."""
        return json.loads(self.payload)


def error_payload(error_type: str, message: str) -> bytes:
    """An error in Lambda's shape."""
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def error_type_of(body: bytes) -> str:
    """The `errorType` of an error in Lambda's shape."""
    try:
        return str(json.loads(body)["errorType"])
    except (ValueError, KeyError, TypeError):
        return "Unhandled"
