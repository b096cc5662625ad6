"""Passes connections from inside a sandbox on to a port of this machine's loopback."""

import contextlib
import re
import socket
import threading
from collections.abc import Mapping

_PORT = re.compile(r"(?<![\w.-])(?:127\.0\.0\.1|localhost):(\d{4,5})\b")
_CHUNK_BYTES = 256 * 1024


def ports_of(environment: Mapping[str, str]) -> tuple[int, ...]:
    """The ports of loopback, from 1024 on, that an environment names: the only ones that its process may reach."""
    found = {int(port) for value in environment.values() for port in _PORT.findall(value)}
    return tuple(sorted(port for port in found if 1024 <= port < 65536))


class Relay:
    """Accepts on a socket of the sandbox's network, and connects to the same port of this machine's."""

    def __init__(self, listening: socket.socket, port: int) -> None:
        self._listening, self._port = listening, port
        self._thread = threading.Thread(target=self._accept, name=f"relay-{port}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop accepting; connections end with one of their sides."""
        self._listening.shutdown(socket.SHUT_RDWR)  # which ends `accept`; closing alone would not
        self._thread.join()
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inward, _ = self._listening.accept()
                threading.Thread(target=self._connect, args=(inward,), daemon=True).start()

    def _connect(self, inward: socket.socket) -> None:
        """Where nothing listens, the function sees its connection end."""
        with inward, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port)) as outward:
            answers = threading.Thread(target=_copy, args=(outward, inward), daemon=True)
            answers.start()
            _copy(inward, outward)
            answers.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Until the source's end, which the sink then sees, too."""
    sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
