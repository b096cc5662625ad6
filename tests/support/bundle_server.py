"""A server on loopback that speaks as much of S3 and STS as fetching a bundle uses, and fails as tests ask it to."""

import hashlib
import itertools
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from chalicelib.config import AwsAccess

ACCOUNT = "123456789012"
BUCKET = f"slimception-dev-{ACCOUNT}-models"
CUT, RESET, SLOW, NO_RANGE, OTHER_RANGE, GARBAGE = "cut", "reset", "slow", "no range", "other range", "garbage"


class Asked(NamedTuple):
    """A request."""

    key: str
    headers: dict[str, str]


class Refusal(NamedTuple):
    """An answer that is an error."""

    status: int
    code: str
    region: str | None = None


Fault = str | Refusal | None


class Stored(NamedTuple):
    """An object."""

    data: bytes
    etag: str
    modified: str


class BundleServer:
    """`fault` is called with each request for an object and gives what goes wrong with it; None: nothing.

    It may change the objects, as somebody who uploads does.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.asked: list[Asked] = []
        self.fault: Callable[[Asked], Fault] = lambda _: None
        self.sts: Refusal | None = None
        self.stopped = threading.Event()
        self.url = ""
        self._uploads = itertools.count()

    def put(self, key: str, data: bytes) -> None:
        """Upload an object."""
        number = next(self._uploads)
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        self.objects[key] = Stored(data, etag, f"Thu, 26 Nov 2026 10:{number // 60:02}:{number % 60:02} GMT")

    def put_bundle(self, folder: Path, prefix: str = "models/") -> str:
        """Upload a bundle, its card last; gives its URI."""
        for name in ("labels.txt", "model.tflite", "model.json"):
            self.put(f"{prefix}{folder.name}/{name}", (folder / name).read_bytes())
        return f"s3://{BUCKET}/{prefix}{folder.name}/"

    def access(self) -> AwsAccess:
        """Keys that nobody checks."""
        return AwsAccess("AKIDEXAMPLE", "secret", "token", "us-east-1", self.url)

    def count(self, name: str) -> int:
        """How often an object of this name was asked for."""
        return sum(asked.key.endswith(name) for asked in self.asked)


@contextmanager
def bundle_server() -> Iterator[BundleServer]:
    """The server."""
    state = BundleServer()
    handler = type("Handler", (_Handler,), {"state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield state
        finally:
            state.stopped.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: BundleServer

    def do_GET(self) -> None:
        assert self.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        path, _, query = self.path.partition("?")
        if "Action=GetCallerIdentity" in query:
            refusal = self.state.sts
            answer = f"<Error><Code>{refusal.code}</Code></Error>" if refusal else f"<Account>{ACCOUNT}</Account>"
            self._send(refusal.status if refusal else 200, answer.encode(), {})
            return
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        asked = Asked(key, {name.lower(): value for name, value in self.headers.items()})
        self.state.asked.append(asked)
        fault = self.state.fault(asked)
        stored = self.state.objects.get(key)
        if fault is None and (bucket != BUCKET or asked.headers["x-amz-expected-bucket-owner"] != ACCOUNT):
            fault = Refusal(403, "AccessDenied")
        if fault is None and stored is None:
            fault = Refusal(404, "NoSuchKey")
        if isinstance(fault, Refusal):
            headers = {"x-amz-bucket-region": fault.region} if fault.region else {}
            self._send(fault.status, f"<Error><Code>{fault.code}</Code></Error>".encode(), headers)
        elif stored is not None:
            self._object(stored, asked, fault)

    def _object(self, stored: Stored, asked: Asked, fault: str | None) -> None:
        about = {"ETag": stored.etag, "Last-Modified": stored.modified}
        if asked.headers.get("if-match", stored.etag) != stored.etag:
            self._send(412, b"<Error><Code>PreconditionFailed</Code></Error>", {})
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        if wanted is None or fault == NO_RANGE:
            self._send(200, stored.data, about, fault)
            return
        first, last = int(wanted[1]), min(int(wanted[2]), len(stored.data) - 1)
        if first > last:
            self._send(416, b"<Error><Code>InvalidRange</Code></Error>", {})
            return
        if fault == OTHER_RANGE:
            first += 1
        about["Content-Range"] = f"bytes {first}-{last}/{len(stored.data)}"
        self._send(206, stored.data[first : last + 1], about, fault)

    def _send(self, status: int, body: bytes, headers: dict[str, str], fault: str | None = None) -> None:
        if fault == GARBAGE:
            self.wfile.write(b"not HTTP\r\n\r\n")
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault in (CUT, RESET, SLOW) else body)
        if fault in (CUT, RESET, SLOW):
            self.wfile.flush()
            self.close_connection = True
        if fault == SLOW:
            self.state.stopped.wait(5)
        elif fault == RESET:  # with a linger time of 0 the end is an RST
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
