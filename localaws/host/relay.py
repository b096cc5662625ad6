"""Passes connections from inside a sandbox on to a port of this machine's loopback."""

import re
import selectors
import socket
import socketserver
import threading
from collections.abc import Mapping

_PORT = re.compile(r"(?:127\.0\.0\.1|localhost):(\d{4,5})\b")
_CHUNK_BYTES = 256 * 1024


def ports_of(environment: Mapping[str, str]) -> tuple[int, ...]:
    """The ports of loopback, from 1024 on, that an environment names: the only ones that its process may reach."""
    found = {int(port) for value in environment.values() for port in _PORT.findall(value)}
    return tuple(sorted(port for port in found if 1024 <= port < 65536))


class Relay:
    """Accepts on a socket of the sandbox's network, and connects to the same port of this machine's."""

    def __init__(self, listening: socket.socket, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), _Connection, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listening
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop accepting; connections end with one of their sides."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A side that is gone is a normal event: the other sees its connection end, too."""


class _Connection(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        with socket.create_connection(self.server.server_address[:2]) as outward, selectors.DefaultSelector() as ready:
            other = {self.request: outward, outward: self.request}
            for side in other:
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(side, selectors.EVENT_READ)
            while ready.get_map():
                for key, _ in ready.select():
                    _pass_on(key.fileobj, other[key.fileobj], ready)


def _pass_on(source: socket.socket, sink: socket.socket, ready: selectors.BaseSelector) -> None:
    if data := source.recv(_CHUNK_BYTES):
        sink.sendall(data)
    else:
        ready.unregister(source)
        sink.shutdown(socket.SHUT_WR)
