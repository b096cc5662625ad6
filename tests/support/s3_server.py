"""A server on loopback that speaks as much of S3 as `Objects` uses, and breaks answers as tests ask it to."""

import base64
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

Fault = Literal["cut", "cut at once", "altered", "reset", "slow", "refused"]
FAULTS: tuple[Fault, ...] = ("cut", "cut at once", "altered", "reset", "slow", "refused")
LISTING = "?list"
"""Stands for a key: the answers that list a bucket."""
_REFUSED = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class S3Server:
    """Every bucket has the same objects, `kept`.

    `faults` maps a key, or LISTING, to the faults of its next answers, one each. A refusal lasts for four answers,
    which are all tries of one call.
    """

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.injected = 0
        self.sends_checksums = True
        self.most_keys = 2  # in a page, so that there are pages to lose
        self.stopped = threading.Event()

    def fault(self, name: str) -> Fault | None:
        """The fault of the next answer."""
        left = self.faults.get(name)
        if not left:
            return None
        self.injected += 1
        return left.pop(0)

    def list(self, query: dict[str, list[str]]) -> bytes:
        """The answer of ListObjectsV2."""
        prefix = query.get("prefix", [""])[0]
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        limit = min(self.most_keys, int(query.get("max-keys", ["1000"])[0]))
        keys = sorted(key for key in self.kept if key.startswith(prefix) and key > after)
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.kept[key])}</Size></Contents>" for key in keys[:limit]
        )
        more = f"<NextContinuationToken>{escape(keys[limit - 1])}</NextContinuationToken>" if keys[limit:] else ""
        is_cut = str(bool(more)).lower()
        return f"<ListBucketResult><IsTruncated>{is_cut}</IsTruncated>{found}{more}</ListBucketResult>".encode()


@contextmanager
def s3_server() -> Iterator[tuple[S3Server, str]]:
    """The server and its URL."""
    state = S3Server()
    handler = type("Handler", (_Handler,), {"state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield state, f"http://127.0.0.1:{server.server_port}"
        finally:
            state.stopped.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: S3Server

    def do_GET(self) -> None:
        path, query = self._asked()
        if "list-type" in query:
            self._send(200, self.state.list(query), self.state.fault(LISTING))
        elif path not in self.state.kept:
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>", None)
        else:
            self._send(200, self.state.kept[path], self.state.fault(path), of_object=True)

    def do_PUT(self) -> None:
        path, _ = self._asked()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.state.fault(path)
        if fault not in ("cut at once", "reset", "refused"):
            self.state.kept[path] = body  # with "cut" and "slow" it is the answer that does not arrive
        if fault in ("cut", "cut at once", "reset", "slow"):
            self._break(fault)
        else:
            self._send(200, b"", fault)

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        url = urlsplit(self.path)
        return unquote(url.path).lstrip("/").partition("/")[2], parse_qs(url.query)

    def _send(self, status: int, body: bytes, fault: Fault | None, of_object: bool = False) -> None:
        if fault == "refused":
            status, body = 503, _REFUSED
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/octet-stream" if of_object else "application/xml")
        if (
            status == 200
            and of_object
            and self.state.sends_checksums
            and self.headers.get("x-amz-checksum-mode") == "ENABLED"
        ):
            checksum = base64.b64encode(struct.pack(">I", zlib.crc32(body))).decode()
            self.send_header("x-amz-checksum-crc32", checksum)
        self.end_headers()
        half = 0 if fault == "cut at once" else len(body) // 2
        if fault == "altered":
            body = body[:half] + bytes([body[half] ^ 1]) + body[half + 1 :] if body else body
        if fault in ("cut", "cut at once", "reset", "slow"):
            self.wfile.write(body[:half])
            self._break(fault)
        else:
            self.wfile.write(body)

    def _break(self, fault: Fault) -> None:
        self.wfile.flush()
        self.close_connection = True
        if fault == "slow":
            self.state.stopped.wait(5)
        elif fault == "reset":  # with a linger time of 0 the end is an RST
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
