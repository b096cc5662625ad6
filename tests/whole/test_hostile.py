"""`make hostile` on the sample: statuses, shares and memory are asserted, times are not.

SLIMCEPTION_LONG=1 adds every bomb and 200,000 mutants (a quarter of an hour).
"""

import os
import sys

import pytest

pytest.importorskip("rich", reason="rich is not installed")
if sys.platform != "linux":
    pytest.skip("memory and processor time are read from /proc", allow_module_level=True)

from benchmarks.hostile import __main__ as hostile

LONG = bool(os.environ.get("SLIMCEPTION_LONG"))


@pytest.mark.parametrize(
    ("arguments", "promised"),
    [
        (["--only", "files"], 6),
        (["--only", "requests"], 1),
        (["--only", "bombs", "--every", "40"], 3),
        (["--only", "mutants", "--mutations", "4000"], 3),
        (["--only", "soak"], 4),
        (["--only", "memory"], 1),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_every_promise_is_kept(arguments, promised, capfd):
    code = hostile.main(arguments)
    out = capfd.readouterr().out
    assert code == 0, out
    assert out.count(" kept ") >= promised


@pytest.mark.skipif(not LONG, reason="SLIMCEPTION_LONG is not set")
@pytest.mark.parametrize("arguments", [["--only", "bombs", "--long"], ["--only", "mutants", "--mutations", "200000"]])
def test_the_long_run(arguments, capfd):
    code = hostile.main(arguments)
    assert code == 0, capfd.readouterr().out


def test_a_broken_promise_is_exit_code_1(monkeypatch, capfd):
    monkeypatch.setitem(hostile.DO, "requests", lambda run: [hostile.Promise("none", "1", False)])
    assert hostile.main(["--only", "requests"]) == 1
    assert "BROKEN" in capfd.readouterr().out
