"""The canary, over a store and over HTTP."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from chalicelib import canary
from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.errors import ModelError
from chalicelib.inference.store import ModelStore
from tests.support.paths import ROOT


@pytest.fixture
def store() -> ModelStore:
    return ModelStore(Settings(model_dirs=(EMBEDDED_MODELS,)))


@pytest.fixture
def serve():
    """Answer every request with a status and a body; gives the URL."""
    servers = []

    def start(status: int, body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status if self.path == "/api/predict" else 404)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/api/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def body_of(label: str, model: str = "digits") -> bytes:
    return json.dumps({"model": {"name": model}, "predictions": [{"label": label}]}).encode()


def test_its_own_process_answers(store, log_lines):
    canary.check(store, None)
    (line,) = log_lines()
    assert (line["event"], line["model"], line["label"]) == ("canary", "digits", "7")


def test_the_api_answers(store, serve, log_lines):
    canary.check(store, serve(200, body_of("7")))
    canary.check(store, serve(200, body_of("daisy", "flowers")))
    assert [line["label"] for line in log_lines()] == ["7", "daisy"]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, body_of("1"), "model 'digits' labels the canary's picture '1', expected '7': see GET /health"),
        (503, b"{}", "HTTPError"),
        (200, b"no JSON", "does not answer the canary"),
        (200, b"{}", "KeyError"),
    ],
)
def test_anything_else_is_an_error(store, serve, status, body, message):
    with pytest.raises(ModelError, match=message):
        canary.check(store, serve(status, body))


@pytest.mark.parametrize(("minutes", "registered"), [("", False), ("5", True), ("1", True)])
def test_it_is_off_unless_asked_for(minutes, registered):
    script = (
        f"import os; os.environ['CANARY_MINUTES'] = {minutes!r}\nimport app; print('canary' in app.app.handler_map)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == str(registered)
