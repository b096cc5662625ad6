"""`python -m localaws run`: starts `chalice local`, classifies a sample picture with it, and leaves it serving."""

import base64
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PROJECT_DIR = Path(__file__).parent.parent
SAMPLE = Path("tests/data/seven.png")
START_SECONDS = 60
HOST = "127.0.0.1"


def serve(port: int) -> int:
    """Serve until Ctrl-C; returns 2 if the port is taken or the server does not start."""
    if _in_use(port):
        print(f"Port {port} is in use: choose another with `make run PORT={port + 1}`", file=sys.stderr)
        return 2
    command = [str(Path(sys.executable).with_name("chalice")), "local", "--host", HOST, "--port", str(port)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = subprocess.Popen([*command, "--no-autoreload"], cwd=PROJECT_DIR)
    try:
        url = f"http://{HOST}:{port}"
        if not _healthy(url, server):
            print("The server did not start: see its message above.", file=sys.stderr)
            return 2
        _introduce(url)
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        server.terminate()
        server.wait()


def _introduce(url: str) -> None:
    """Send the sample, show the response, and how to send another picture."""
    image = base64.b64encode((PROJECT_DIR / SAMPLE).read_bytes()).decode()
    answer = _post(f"{url}/predict", {"image": image})  # without top_k, for a model may have only two classes
    print(f"\nPOST {url}/predict with {SAMPLE} answers:\n{json.dumps(answer, indent=2)}\n")
    print(f"Serving model {answer['model']['name']!r} at {url} (Ctrl-C ends it). Try your own picture:\n")
    print(f"  curl -H 'Content-Type: image/png' --data-binary @{SAMPLE} {url}/predict/image\n", flush=True)


def _healthy(url: str, server: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=START_SECONDS):
                return True
        except urllib.error.HTTPError as error:  # the server runs, and says what is wrong
            print(error.read().decode(), file=sys.stderr)
            return False
        except OSError:
            time.sleep(0.1)
    return False


def _post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=START_SECONDS) as response:
        return json.load(response)


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
