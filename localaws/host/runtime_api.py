"""The Lambda Runtime API, which an instance's runtime client polls; one small server for each instance.

Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes", version 2018-06-01.
"""

import queue
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from localaws.host.invocation import Invocation, error_payload, error_type_of

_PREFIX = "/2018-06-01/runtime/"
_ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"


class RuntimeApi:
    """Hands one invocation after the other to one runtime client.

    Listens on `listening`, a socket of a sandbox's network, or else on loopback, on a free port.
    """

    def __init__(self, listening: socket.socket | None = None) -> None:
        self.initialised = threading.Event()
        """Set when the client asks for its first event, or reports that it cannot start."""
        self.init_error: bytes | None = None
        self._waiting: queue.Queue[Invocation | None] = queue.Queue()
        self._current: Invocation | None = None
        self._server = _Server(("127.0.0.1", 0), _Handler, bind_and_activate=listening is None)
        if listening is not None:
            self._server.socket.close()
            self._server.socket = listening
        self._server.api = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """`host:port`, for AWS_LAMBDA_RUNTIME_API."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def hand_over(self, invocation: Invocation) -> None:
        """Make `invocation` the next event; its `done` is set when the client has answered."""
        self._current = invocation
        self._waiting.put(invocation)

    def close(self) -> None:
        """Stop listening; a client that still waits is cut off."""
        self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next(self) -> Invocation | None:
        """Wait for the next event; None when the server closes."""
        self.initialised.set()
        invocation = self._waiting.get()
        if invocation is not None:
            invocation.fetched = True
        return invocation

    def fail_init(self, body: bytes) -> None:
        """The client could not load the handler: keep its error."""
        self.init_error = body
        self.initialised.set()

    def current(self, request_id: str) -> Invocation | None:
        """The invocation that may be answered under this id."""
        current = self._current
        return current if current and current.request_id == request_id and not current.done.is_set() else None


class _Server(ThreadingHTTPServer):
    api: RuntimeApi
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client killed in the middle of a call is a normal event here."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes, which Nagle's algorithm would hold for 40 ms

    def do_GET(self) -> None:
        """`invocation/next`."""
        if self.path != _PREFIX + "invocation/next":
            return self._reply(404, error_payload("NotFound", self.path))
        invocation = self.server.api.next()
        if invocation is None:
            self.close_connection = True
            return None
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_epoch_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
            "Lambda-Runtime-Trace-Id": invocation.trace or f"Root=1-{invocation.request_id[:8]}-{'0' * 24};Sampled=0",
        }
        return self._reply(200, invocation.payload, headers)

    def do_POST(self) -> None:
        """`init/error`, `invocation/<id>/response`, `invocation/<id>/error`."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        where = self.path.removeprefix(_PREFIX).split("/")
        if where == ["init", "error"]:
            self.server.api.fail_init(body)
            return self._reply(202, b'{"status":"OK"}')
        if len(where) != 3 or where[0] != "invocation" or where[2] not in ("response", "error"):
            return self._reply(404, error_payload("NotFound", self.path))
        return self._answer(where[1], where[2], body)

    def _answer(self, request_id: str, kind: str, body: bytes) -> None:
        invocation = self.server.api.current(request_id)
        if invocation is None:
            return self._reply(400, error_payload("InvalidRequestID", "Invalid request ID"))
        if kind == "response":
            invocation.respond(body)
        else:
            invocation.fail(self.headers.get(_ERROR_TYPE) or error_type_of(body), body)
        return self._reply(202, b'{"status":"OK"}')

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """No access log: the function's own is what counts."""
