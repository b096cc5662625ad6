"""10,000 requests to the app with an A/B test, in one process, and a part of them again in another."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.bundles import write_bundle
from tests.support.paths import ROOT

REQUESTS, AGAIN_EVERY, SHARE = 10_000, 5, 0.2
ASK = """
import json, sys
from chalice.test import Client
import app
from tests.support.pictures import BLUE, RED, encode, plain
from tests.support.requests import b64

client = Client(app.app, project_dir=".")
first_time = sys.argv[1] == "first"
for number in map(int, sys.stdin):
    if number % 2:  # a customer, later with another picture
        data, customer = RED if first_time else BLUE, {"X-Customer-Id": f"customer-{number}"}
    else:  # nobody in particular, with a picture that nobody else has; later in JSON
        data, customer = encode(plain((number % 251, number // 251, 7), (4, 4)), "BMP"), {}
    if first_time:
        response = client.http.post("/predict/image", headers={"Content-Type": "image/bmp", **customer}, body=data)
    else:
        body = json.dumps({"image": b64(data)}).encode()
        response = client.http.post("/predict", headers={"Content-Type": "application/json", **customer}, body=body)
    assert response.status_code == 200
    print("answer", number, json.dumps(response.json_body))
"""


def answers(models_dir: Path, which: str, numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
    """What a new process answers to the requests of these numbers."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MODEL_DIR": str(models_dir)}
    env["AB_TEST"] = f"channels_float,channels_int8,{SHARE}"
    command = [sys.executable, "-c", ASK, which]
    given = "\n".join(map(str, numbers))
    run = subprocess.run(
        command, cwd=ROOT, env=env, input=given, text=True, capture_output=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    lines = (line.split(" ", 2) for line in run.stdout.splitlines() if line.startswith("answer "))
    return {int(number): json.loads(body) for _, number, body in lines}


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ab")
    for name in ("channels_float", "channels_int8"):
        write_bundle(folder, name)
    return folder


@pytest.fixture(scope="module")
def first_time(models_dir):
    return answers(models_dir, "first", range(REQUESTS))


def test_the_split_is_within_chance_of_the_weights(first_time):
    arms = [first_time[number]["experiment"]["arm"] for number in range(REQUESTS)]
    sigma = math.sqrt(REQUESTS * SHARE * (1 - SHARE))
    print(f"\n{arms.count('B')} of {REQUESTS} in arm B, {SHARE * REQUESTS:.0f} expected, sigma {sigma:.0f}")
    assert set(arms) == {"A", "B"} and abs(arms.count("B") - SHARE * REQUESTS) < 4 * sigma
    for kind in (arms[::2], arms[1::2]):  # pictures, customers
        assert abs(kind.count("B") - SHARE * len(kind)) < 4 * sigma / math.sqrt(2)


def test_each_arm_is_answered_by_its_model(first_time):
    pairs = {(a["experiment"]["arm"], a["experiment"]["fallback"], a["model"]["name"]) for a in first_time.values()}
    assert pairs == {("A", False, "channels_float"), ("B", False, "channels_int8")}


def test_it_is_sticky_by_key_and_unaffected_by_a_restart(first_time, models_dir):
    again = answers(models_dir, "again", reversed(range(0, REQUESTS, AGAIN_EVERY)))
    assert len(again) == REQUESTS // AGAIN_EVERY
    assert {number: body["experiment"] for number, body in again.items()} == {
        number: first_time[number]["experiment"] for number in again
    }
