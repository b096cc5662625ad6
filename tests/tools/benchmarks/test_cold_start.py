"""Files leave the disk cache before a start, the table says which starts those are, and each millisecond has a part."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cold_start import __main__ as cold_start
from benchmarks.cold_start import account
from benchmarks.cold_start.account import Import
from benchmarks.cold_start.processes import Starter
from benchmarks.cold_start.starts import BARE, KERAS, NOT_CACHED, PACKAGED, Start, variants
from layers.build.function import function_contents
from localaws.processor.mask import Shown
from tests.support.bundles import DATA_DIR
from tests.support.paths import ROOT
from tests.support.requests import b64

SHOWN = Shown("avx2", {"MARK": "masked"}, ROOT / "none.so", "AVX2 (X, all it has)", None)

CONTEXT = {"httpMethod": "POST", "resourcePath": "/predict", "requestId": "test"}
EVENT = {
    "headers": {"content-type": "application/json"},
    "multiValueQueryStringParameters": None,
    "pathParameters": None,
    "stageVariables": None,
    "isBase64Encoded": False,
}


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


def test_a_start_gets_the_mask(tmp_path):
    code = 'import json, os; print(json.dumps({"cold_start_ms": {"mark": os.environ["MARK"]}})); print("answered")'
    with Starter(tmp_path) as starter:
        found = cold_start.answer_once(starter, Start([sys.executable, "-c", code], {}), SHOWN)
    assert found["mark"] == "masked"
    assert found["answered_ms"] > 0


@pytest.mark.parametrize("processors", [1, None])
def test_a_start_has_as_many_processors_as_are_asked_for(tmp_path, processors):
    code = "import os; print(len(os.sched_getaffinity(0))); print('answered')"
    with Starter(tmp_path, processors) as starter:
        found = starter.run(Start([sys.executable, "-c", code], {}), SHOWN).out
    assert found == f"{processors or len(os.sched_getaffinity(0))}\nanswered\n"


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


def test_the_measured_folder_is_read_only_for_what_is_started(tmp_path):
    code = f"import os; print(bool(os.statvfs({str(tmp_path)!r}).f_flag & os.ST_RDONLY)); print('answered')"
    with Starter(tmp_path) as starter:
        if starter.writable:
            pytest.skip(starter.writable)
        assert starter.run(Start([sys.executable, "-c", code], {}), SHOWN).out == "True\nanswered\n"


@pytest.mark.parametrize("code", ["print('answered'); raise SystemExit('broken')", "print('something else')"])
def test_a_start_without_an_answer_ends_the_measurement(tmp_path, code):
    with Starter(tmp_path) as starter, pytest.raises(SystemExit, match="no answer from "):
        starter.run(Start([sys.executable, "-c", code], {}), SHOWN)


def test_a_share_is_the_packaged_functions_and_one_above_its_bar_is_missed(capsys):
    def starts(*ms):
        return [{"answered_ms": one} for one in ms]

    runs = {PACKAGED.format("int8"): starts(200.0, 300.0, 210.0), KERAS: starts(3300.0, 3300.0, 3300.0)}
    runs[BARE.format("int8")] = starts(160.0, 200.0, 210.0)
    found = cold_start.shares(runs)
    assert found[BARE.format("int8")] == {"share": 1.25, "bar": 1.05}  # the median of 1.25, 1.5 and 1
    assert found[KERAS]["share"] == pytest.approx(0.0636, abs=1e-4)
    cold_start.show_shares(found)
    assert sum("missed" in line for line in capsys.readouterr().out.splitlines()) == 2
    assert not cold_start.shares({PACKAGED.format("int8"): starts(1.0)})


IMPORTTIME = """\
import time: self [us] | cumulative | imported package
import time:        70 |         70 | encodings
import time:       100 |        100 |       _ctypes
import time:       200 |        300 |     ctypes
import time:       400 |        400 |     numpy._core._multiarray_umath
import time:       800 |       1500 |   numpy
import time:      1600 |       1600 |   chalicelib.config
import time:      3200 |       6300 | app
import time:        30 |         30 | json
"""


def test_an_import_belongs_to_its_package_and_a_module_of_python_to_the_first_that_imports_it():
    imports = account.of_app(IMPORTTIME)
    assert imports[0] == Import("_ctypes", 100, 3)
    assert imports[-1] == Import("app", 3200, 0)
    assert account.by_package(imports, {"numpy._core._multiarray_umath", "_ctypes"}) == pytest.approx(
        {
            "app and chalicelib": 4.8,
            "numpy": 0.8,
            "numpy: shared objects": 0.4,
            "Python's modules for numpy": 0.3,
        }
    )


def test_the_parts_of_an_account_are_its_sum(tmp_path):
    task, opt, event = tmp_path / "task", tmp_path / "opt", tmp_path / "event.json"
    with Starter(tmp_path) as starter:
        function_contents(ROOT).extract(task)
        site = next(path for path in map(Path, sys.path) if (path / "PIL").is_dir())
        (opt).mkdir()
        (opt / "python").symlink_to(site)
        body = json.dumps({"image": b64((DATA_DIR / "seven.png").read_bytes())})
        event.write_text(json.dumps({"requestContext": CONTEXT, "body": body, **EVENT}))
        start = Start([*map(str, (sys.executable, "answer_event.py", task, opt, event))], {"PATH": "/usr/bin:/bin"})
        found = account.account(starter, start, Shown("native", {}, None, "", None), 1)
    assert {"first inference", "model: delegate made, weights packed", "import: numpy"} <= set(found)
    assert all(ms >= 0 for ms in found.values())
    shown = account.table({"int8": found}, "a machine", 1)
    assert shown.columns[1].footer == f"{sum(found.values()):.1f}"
