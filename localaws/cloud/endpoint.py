"""One HTTP server on loopback: moto's AWS services, and the APIs deployed into them."""

import json
import os
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from localaws.access.guard import Guard
from localaws.cloud import shapes
from localaws.cloud.fronts import Fronts
from localaws.cloud.rest_api import RestApis
from localaws.errors import PortInUse

_CONFIG = {"stepfunctions": {"execute_state_machine": True}}
"""Without this, moto only records that an execution was started."""


class Endpoint:
    """The server. Listens from the start; answers between `start` and `close`. `guard` decides about roles' calls."""

    def __init__(self, port: int, region: str, guard: Guard, faults: set[str] | None = None) -> None:
        """Bind 127.0.0.1; `port` 0 takes a free one. Raises PortInUse.

        `faults`, if it is given, gets what is wrong with moto's answers (`shapes`).
        """
        self._guard, self._faults = guard, faults
        self._socket = _bind(port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.rest_apis = RestApis(DEFAULT_ACCOUNT_ID, region)
        self.fronts = Fronts(DEFAULT_ACCOUNT_ID, region)
        self.refuse: Callable[[Mapping[str, Any]], Response | None] = lambda environ: None  # noqa: ARG005
        """Called before every call of a service. Its response, if it gives one, stands for a failure of the service."""
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", self.port, self._dispatch, True, request_handler=_QuietHandler, fd=self._socket.fileno()
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._port_before = os.environ.get("MOTO_PORT")

    def start(self) -> None:
        """Serve, from an empty account."""
        os.environ["MOTO_PORT"] = str(self.port)  # where moto's Step Functions look for Lambda
        self._thread.start()
        self._post("/moto-api/reset", b"")
        self._post("/moto-api/config", json.dumps(_CONFIG).encode())

    def close(self) -> None:
        """Stop serving and forget everything in the account. Does nothing the second time."""
        if self._thread.is_alive():
            self._post("/moto-api/reset", b"")
            self._server.shutdown()
            self._thread.join()
            os.environ.pop("MOTO_PORT")
            if self._port_before is not None:
                os.environ["MOTO_PORT"] = self._port_before
        self._server.server_close()
        self._socket.close()

    def _post(self, path: str, body: bytes) -> None:
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=body, method="POST"), timeout=30):
            pass

    def _dispatch(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        refusal = self.refuse(environ)
        if refusal is not None:
            return refusal(environ, start_response)
        if self.rest_apis.serves(environ.get("PATH_INFO", "")):
            return self.rest_apis.respond(Request(environ))(environ, start_response)
        if self.fronts.serves(environ.get("PATH_INFO", "")):
            return self.fronts.respond(Request(environ))(environ, start_response)
        refusal = self._guard.refusal(environ)
        if refusal is not None:
            return refusal(environ, start_response)
        answer = Response.from_app(self._moto, environ)
        if answer.status_code == 404:
            answer = self._guard.hides_missing(environ) or answer
        if self._faults is not None and answer.status_code < 300:
            self._faults.update(shapes.faults(environ, answer))
        return answer(environ, start_response)


class _QuietHandler(MotoRequestHandler):  # type: ignore[misc]
    def log_request(self, code: object = "-", size: object = "-") -> None:
        """No access log, since a deployment alone makes dozens of calls; errors are still printed."""


def _bind(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise PortInUse(f"port {port} cannot be used ({error.strerror}): choose another with --port") from error
    listening.listen(128)
    return listening
