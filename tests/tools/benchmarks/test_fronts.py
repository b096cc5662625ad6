import json
import subprocess
import sys

import pytest

import app
from benchmarks.fronts import __main__ as bench
from benchmarks.fronts.events import EVENTS
from tests.support.paths import ROOT


class Context:
    aws_request_id = "r-1"
    invoked_function_arn = None


@pytest.mark.parametrize("front", EVENTS)
def test_each_event_is_the_same_request(front, capsys):
    response = app.app(json.loads(json.dumps(EVENTS[front])), Context())
    capsys.readouterr()
    (best,) = json.loads(response["body"])["predictions"]
    assert (response["statusCode"], best["label"]) == (200, "7")


def test_a_process_measures_what_is_stated():
    found = bench.run("function URL")
    assert set(found) == {"import_ms", "first_ms", "later_ms"}
    assert 0 < found["later_ms"] < found["first_ms"]


def test_the_slowest_event_decides():
    found = {
        "REST API": {"import_ms": 9.0, "first_ms": 0.1, "later_ms": 0.01},
        "function URL": {"import_ms": 9.0, "first_ms": 0.15, "later_ms": 0.3},
    }
    assert bench.slowest(found) == 0.3
    assert bench.table(found).row_count == 2


def test_a_front_that_is_none_is_an_error():
    command = [sys.executable, "-m", "benchmarks.fronts.process", "gopher"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode
