"""`chalice local` in a new process, on a free port."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.paths import ROOT

START_LIMIT_S = 60


class Server(NamedTuple):
    port: int
    output: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def send(self, method: str, path: str, body: bytes | None = None, content_type: str | None = None):
        """Status and JSON of the response, over a new connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            return exchange(connection, method, path, body, content_type)
        finally:
            connection.close()

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_text().splitlines() if line.startswith("{")]


def exchange(connection, method: str, path: str, body: bytes | None = None, content_type: str | None = None):
    connection.request(method, path, body, {"Content-Type": content_type} if content_type else {})
    response = connection.getresponse()
    content = response.read()
    return response.status, json.loads(content) if content else None


@contextmanager
def serving(output: Path, **env: str) -> Iterator[Server]:
    """Serve the embedded models, unless `env` says otherwise; what the server prints goes to `output`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {**os.environ, "MODEL_DIR": str(ROOT / "chalicelib" / "models"), "MODEL_NAME": "digits", **env}
    command = [sys.executable, "-c", "from chalice.cli import main; main()", "local", "--no-autoreload"]
    with output.open("w") as log:
        process = subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, env=given, stdout=log, stderr=log)
    try:
        _wait_for(process, port, output)
        yield Server(port, output)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"chalice local does not serve:\n{output.read_text()}")
