"""Pictures and events, one process that measures, and what is made of its rounds."""

import base64
import io
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.requests import __main__ as bench
from benchmarks.requests.pictures import KINDS, event, written
from tests.support.paths import ROOT

LAMBDA_BYTES = 6 * 1024 * 1024
"""Of an event, at most (AWS Lambda developer guide, "Lambda quotas")."""
SMALL = "500x375 PNG"


def test_every_bar_is_of_a_picture():
    assert set(bench.BARS) <= set(KINDS)


@pytest.mark.parametrize("name", ["500x375 JPEG", SMALL, "1600x1200 PNG"])
def test_a_drawn_picture_is_what_it_is_called_and_fits_an_event(name):
    data = written(KINDS[name], None)
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size) == (KINDS[name].image_format, KINDS[name].size)
    assert len(json.dumps(event(data))) < LAMBDA_BYTES
    assert data == written(KINDS[name], None)


def test_a_drawn_picture_compresses_about_as_a_photograph_does():
    width, height = KINDS[SMALL].size
    assert 1 < len(written(KINDS[SMALL], None)) / (width * height) < 2.5


def test_a_photograph_is_enlarged(tmp_path):
    Image.radial_gradient("L").save(tmp_path / "photograph.jpg")
    image = Image.open(io.BytesIO(written(KINDS[SMALL], tmp_path / "photograph.jpg")))
    assert (image.mode, image.size) == ("RGB", KINDS[SMALL].size)


def test_a_process_measures_request_inference_and_parts(tmp_path):
    """The project as it lies here, beside the packages of this environment; the model is the embedded one."""
    (tmp_path / "python").symlink_to(sysconfig.get_path("purelib"))
    (tmp_path / "event.json").write_text(json.dumps(event(written(KINDS[SMALL], None))))
    given = [str(ROOT), str(tmp_path), "2", f"small={tmp_path / 'event.json'}"]
    env = {**os.environ, "MODEL_NAME": "digits", "AWS_LAMBDA_FUNCTION_NAME": "x", "AWS_REGION": "us-east-1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(bench.PROCESS), *given],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    rounds = json.loads(done.stdout.splitlines()[-1])
    assert list(rounds) == ["small"] and len(rounds["small"]) == 2
    assert {"request", "inference", "decode", "resize", "encode", "scores"} < set(rounds["small"][0])
    assert rounds["small"][0]["request"] > rounds["small"][0]["inference"] > 0


def test_the_ratio_is_the_median_of_the_ratios_and_the_rest_is_what_the_parts_leave():
    pairs = ((100.0, 150.0), (100.0, 110.0), (200.0, 206.0))
    rounds = {"x": [{"inference": i, "request": r, "decode": 5.0, "encode": 1.0} for i, r in pairs]}
    found = bench.medians(rounds, {"x": 7})
    assert found["x"]["ratio"] == 1.1
    assert found["x"]["parts_ms"] == {"decode": 5.0, "encode": 1.0, "the rest": 44.0}
    assert bench.table(found, "title").row_count == 4 + 3


def test_the_event_holds_the_picture_in_base64_twice():
    sent = event(b"bytes")
    assert sent["isBase64Encoded"]
    assert base64.b64decode(json.loads(base64.b64decode(sent["body"]))["image"]) == b"bytes"


def test_the_tool_states_its_bars(tmp_path, monkeypatch, capsys):
    def ask(laid: Path, model: str, *_: object) -> dict:
        return {name: [{"inference": 100.0, "request": 104.0, "decode": 1.0}] for name in KINDS}

    monkeypatch.setattr(bench, "ask", ask)
    monkeypatch.setattr(bench, "write_pictures", lambda *_: dict.fromkeys(KINDS, 1))
    monkeypatch.setattr(bench.packaged, "lay_out", lambda folder: [])
    out = tmp_path / "out" / "requests.json"
    assert bench.main(["--models", str(tmp_path), "--processor", "native", "--out", str(out)]) == 0
    assert "500x375 JPEG: 1.040 of the inference; the aim on AVX2 is at most 1.03" in capsys.readouterr().out
    facts = json.loads(out.read_text())
    assert set(facts["models"]) == {"int8", "dynamic"} and facts["models"]["int8"]["500x375 PNG"]["ratio"] == 1.04
