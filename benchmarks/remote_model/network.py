"""A bucket on loopback behind a network of a stated latency and bandwidth: S3 as a function in its region sees it.

`localaws` hands bytes out as fast as this machine allows, which says nothing of AWS.
"""

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

CHUNK_BYTES = 64 * 1024


class Network(NamedTuple):
    """Milliseconds from a connection's first byte to its use, from a request to its answer's first byte; MB/s."""

    connect_ms: float
    first_byte_ms: float
    per_connection: float
    in_all: float


class Pace:
    """Lets bytes pass at a rate."""

    def __init__(self, megabytes_per_s: float) -> None:
        self._seconds_per_byte = 1 / (megabytes_per_s * 1e6)
        self._free_at, self._lock = 0.0, threading.Lock()

    def wait(self, size_bytes: int) -> None:
        """Sleep until these bytes would have passed."""
        with self._lock:
            self._free_at = max(self._free_at, time.perf_counter()) + size_bytes * self._seconds_per_byte
            pause_s = self._free_at - time.perf_counter()
        if pause_s > 0:
            time.sleep(pause_s)


@contextmanager
def bucket_at(folder: Path, network: Network) -> Iterator[str]:
    """Serve `folder/<bucket>/<key>`; gives the URL of the endpoint."""
    handler = type("Handler", (_Handler,), {"folder": folder, "network": network, "shared": Pace(network.in_all)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    folder: Path
    network: Network
    shared: Pace

    def setup(self) -> None:
        super().setup()
        self._own = Pace(self.network.per_connection)
        time.sleep(self.network.connect_ms / 1000)

    def do_GET(self) -> None:
        time.sleep(self.network.first_byte_ms / 1000)
        path = self.folder / unquote(self.path).lstrip("/")
        size_bytes = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        end = min(int(asked[2]) + 1, size_bytes) if asked else size_bytes
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(end - first))
        self.send_header("ETag", hashlib.md5(str(path).encode()).hexdigest())
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{size_bytes}")
        self.end_headers()
        with path.open("rb") as file:
            file.seek(first)
            while first < end:
                data = file.read(min(CHUNK_BYTES, end - first))
                self.shared.wait(len(data))
                self._own.wait(len(data))
                self.wfile.write(data)
                first += len(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
