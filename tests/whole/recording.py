"""What requests and functions answer and log in a process of their own, over a copy of what is deployed.

A process of its own has its cold start ahead, and no environment but the scenario's; a copy has only the embedded
model, whatever lies in models/, and may be damaged. Of the served code nothing is known but `app`.
"""

import hashlib
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT
from tests.whole.golden import IDS, compact

IN_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "slimception-golden", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769"}
JSON_TYPE = {"Content-Type": "application/json"}
DIGITS = Path("chalicelib", "models", "digits")
HANDED_ON = ("PATH", "LD_LIBRARY_PATH", "HOME", "PYTHONHASHSEED")


class Context:
    """Lambda's context of a function that has time."""

    aws_request_id = "golden"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class Recording:
    """Asks the app of this process and keeps what comes: by name the answers, the log lines and the files."""

    def __init__(self, output: io.StringIO) -> None:
        self._output, self.answers, self.lines, self.files = output, {}, {}, {}
        self.app = importlib.import_module("app")
        self._keep_lines("(import)")
        from chalice.test import Client  # Chalice's tools are not the app's, whose cold start comes first

        self._client = Client(self.app.app)

    def ask(self, name: str, method: str, path: str, body: Any = b"", **headers: str) -> Any:
        """One request; a body that is no bytes is sent as JSON. Gives the answer's body where that is JSON."""
        assert name not in self.answers, name
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {
            **({} if isinstance(body, bytes) else JSON_TYPE),
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        response = self._client.http.request(method, path, headers=given, body=data)
        request_id = response.headers.get("X-Request-Id")
        told = {name: _header(name, response.headers[name]) for name in sorted(response.headers)}
        self.answers[name] = {"status": response.status_code, "headers": told, **_content(response.body)}
        self._keep_lines(name)
        if request_id:  # the same in header, body and log line; another one stays to be seen
            for kept in (self.answers, self.lines):
                kept[name] = json.loads(json.dumps(kept[name]).replace(request_id, "<request id>"))
        return response.json_body

    def call(self, name: str, function: str, event: Any) -> Any:
        """One invocation of another function of the app; gives what it returned."""
        returned = None
        try:
            returned = getattr(self.app, function)(event, Context())
            self.answers[name] = {"returned": returned}
        except Exception as error:
            self.answers[name] = {"raised": f"{type(error).__name__}: {error}"}
        self._keep_lines(name)
        return returned

    def _keep_lines(self, name: str) -> None:
        lines = self._output.getvalue().splitlines()
        self._output.seek(0)
        self._output.truncate()
        if lines:
            self.lines[name] = [_parsed(line) for line in lines]


@dataclass(frozen=True)
class Scenario:
    """An installation and what is asked of it."""

    play: Callable[[Recording], None]
    env: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Path], None] = lambda folder: None
    """Changes the copy before the app is imported from it."""


def second_model(folder: Path) -> None:
    """The embedded model once more, under another name."""
    shutil.copytree(folder / DIGITS, folder / "second_models" / "digits-2")


def damage(folder: Path) -> None:
    """Cut a model's file off."""
    model = folder / "model.tflite"
    model.write_bytes(model.read_bytes()[:1000])


def recorded(scenarios: str, name: str, scenario: Scenario, folder: Path) -> dict[str, Any]:
    """Play one scenario of the module `scenarios` in a process of its own; `folder` is empty and gets the copy."""
    shutil.copytree(ROOT / "chalicelib", folder / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", folder)
    scenario.prepare(folder)
    env = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "NUM_THREADS": "1", **scenario.env}
    command = [sys.executable, "-m", "tests.whole.recording", scenarios, name]
    run = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout.replace(str(folder), "<folder>"))
    return found


def _header(name: str, value: Any) -> Any:
    if name == "Server-Timing":  # the names alone: the rest was measured
        return [part.partition(";dur=")[0] for part in value.split(", ")]
    return value


def _content(body: bytes) -> dict[str, Any]:
    """JSON parsed, all else as a checksum; of JSON that is not written as usual both, so that its bytes count."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    if compact(parsed).encode() == body or IDS.search(body.decode()):
        return {"body": parsed}
    return {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), "body": parsed}


def _parsed(line: str) -> Any:
    """A log line, or its very text where it is not written as all of them are."""
    try:
        parsed = json.loads(line)
    except ValueError:
        return f"no JSON: {line}"
    return parsed if compact(parsed) == line else f"not compact: {line}"


def main(scenarios: str, name: str) -> None:
    """Play in this process, and print what was recorded."""
    output = io.StringIO()
    with redirect_stdout(output):
        recording = Recording(output)
        importlib.import_module(scenarios).SCENARIOS[name].play(recording)
    print(json.dumps({"answers": recording.answers, "lines": recording.lines, "files": recording.files}))


if __name__ == "__main__":
    # under its true name, or there would be two of each class
    importlib.import_module("tests.whole.recording").main(*sys.argv[1:])
