"""A server on loopback that answers as a test scripts it, and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple


class Asked(NamedTuple):
    method: str
    path: str
    headers: "Message[str, str]"
    body: bytes


class Reply(NamedTuple):
    """`status` 0 ends the connection without an answer."""

    status: int = 200
    content: Any = None
    headers: Mapping[str, str] = MappingProxyType({})


class Scripted(NamedTuple):
    url: str
    asked: list[Asked]
    most_at_once: list[int]


@contextmanager
def scripted(answer: Callable[[Asked], Reply]) -> Iterator[Scripted]:
    """Serve until the block ends. `answer` may be called by several threads."""
    asked: list[Asked] = []
    most, at_once, lock = [0], [0], threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Asked(self.command, self.path, self.headers, body)
            with lock:
                asked.append(request)
                at_once[0] += 1
                most[0] = max(most[0], at_once[0])
            try:
                self.reply(answer(request))
            finally:
                with lock:
                    at_once[0] -= 1

        def do_POST(self) -> None:
            self.do_GET()

        def reply(self, reply: Reply) -> None:
            if not reply.status:
                self.close_connection = True
                return
            data = reply.content if isinstance(reply.content, bytes) else json.dumps(reply.content).encode()
            self.send_response(reply.status)
            for name, text in {"Content-Length": str(len(data)), **reply.headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Scripted(f"http://127.0.0.1:{server.server_port}", asked, most)
        finally:
            server.shutdown()
            thread.join()
