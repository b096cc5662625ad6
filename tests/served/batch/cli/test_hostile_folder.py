"""A folder of 1,000 pictures, all hostile and odd ones of the sample among them: killed 20 times, it ends well."""

import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from chalicelib.inference.folders import find_pictures
from tests.support.hostile import thousand
from tests.support.paths import ROOT

KILLS = 20
pytestmark = pytest.mark.skipif(find_spec("tqdm") is None, reason="tqdm, which shows progress, is not installed")


def test_killed_twenty_times_it_ends_with_one_result_for_each(test_data, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, data in thousand(test_data).items():
        (folder / name).write_bytes(data)
    out, journal = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    command = [sys.executable, "-m", "chalicelib.batch", str(folder), "--processes", "1", "--out", str(out)]
    given = {**os.environ, "MODEL_NAME": "digits"}
    for kill in range(KILLS):
        with subprocess.Popen(command, cwd=ROOT, env=given, stderr=subprocess.PIPE) as running:
            grown = size_of(journal) + 1 + 1500 * (kill % 2)  # some are killed before they have added anything
            deadline = time.monotonic() + 120
            while size_of(journal) < grown and running.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            assert running.poll() is None, f"it ended before kill {kill}"
            running.kill()
        assert not out.exists()
    ended = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert ended.returncode == 0 and "Traceback" not in ended.stderr, ended.stderr
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["key"] for row in rows] == find_pictures(folder).pictures
    assert all(("error" in row) != bool(row.get("predictions")) for row in rows)
    assert sum(row["key"].startswith("ordinary") and "predictions" in row for row in rows) > 500
    assert not journal.exists()


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
