"""Files leave the disk cache before a start, and the table says which starts those are."""

import os
import shutil
import subprocess
import sys

import pytest

from benchmarks.cold_start import __main__ as cold_start
from benchmarks.cold_start.starts import KERAS, NOT_CACHED, Start, variants
from localaws.processor.mask import Shown
from tests.support.paths import ROOT

SHOWN = Shown("avx2", {"MARK": "masked"}, ROOT / "none.so", "AVX2 (X, all it has)", None)


def cached_bytes(path):
    return int(subprocess.run(["fincore", "-bnoRES", path], capture_output=True, text=True, check=True).stdout)


def test_dropped_files_are_not_in_the_disk_cache(tmp_path):
    if shutil.which("fincore") is None:
        pytest.skip("needs fincore, of util-linux")
    (tmp_path / "kept").write_bytes(bytes(2**20))
    (tmp_path / "root" / "folder").mkdir(parents=True)
    dropped = tmp_path / "root" / "folder" / "dropped"
    dropped.write_bytes(bytes(2**20))
    os.sync()
    cold_start.drop_from_disk_cache(Start([], {}, (tmp_path / "root",)))
    if cached_bytes(dropped) == 2**20:
        pytest.skip("this file system is in memory")
    assert cached_bytes(dropped) == 0
    assert cached_bytes(tmp_path / "kept") == 2**20


def test_a_start_gets_the_mask():
    code = 'import json, os; print(json.dumps({"cold_start_ms": {"mark": os.environ["MARK"]}})); print("answered")'
    found = cold_start.answer_once(Start([sys.executable, "-c", code], {}), SHOWN)
    assert found["mark"] == "masked"
    assert found["answered_ms"] > 0


def test_the_table_names_the_processor_and_what_was_not_cached(capsys):
    row = {
        "python_ms": 10.0,
        "import_ms": 20.0,
        "model_load_ms": 30.0,
        "first_inference_ms": 40.0,
        "answered_ms": 100.0,
    }
    medians = {"slimmed": row, "slimmed" + NOT_CACHED: row, KERAS: {"answered_ms": 3000.0}}
    cold_start.show(medians, SHOWN.heading, 9)
    lines = capsys.readouterr().out.splitlines()
    assert any("AVX2 (X, all it has)" in line for line in lines)
    assert sum("1/30.0" in line for line in lines) == 1  # only of the row whose files are cached, as Keras's are
    assert any("slimmed, not in the disk cache" in line for line in lines)


def test_another_checkout_is_one_more_variant(tmp_path):
    assert len(variants(tmp_path)) == len(variants(None)) + 1
