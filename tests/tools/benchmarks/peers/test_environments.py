import re
import subprocess

import pytest

from benchmarks.peers import environments
from benchmarks.peers.environments import LOCKED, PeerMissing, python_of
from layers.pythons import find_python
from tests.support.pages import text_of


@pytest.mark.parametrize("name", LOCKED)
def test_a_locked_file_is_complete(name):
    assert f"\n{name}==" in text_of(LOCKED[name]) and "--hash=sha256:" in text_of(LOCKED[name])


def test_without_an_index_one_line_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PeerMissing) as raised:
        python_of("onnxruntime")
    assert re.fullmatch(
        r"the environment of onnxruntime cannot be made from requirements/peers/onnxruntime.txt \(.*\): "
        r"connect to a package index, or leave it out",
        str(raised.value),
    )
    assert not list(tmp_path.rglob("bin"))  # nothing half made is left


def test_a_python_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(environments, "find_python", lambda version: None)
    with pytest.raises(PeerMissing, match=r"tflite-runtime needs Python 3\.11, which is not on this machine"):
        python_of("tflite-runtime")


@pytest.mark.skipif(find_python("3.11") is None, reason="needs Python 3.11")
def test_an_environment_runs_its_engine_and_is_made_once():
    try:
        python = python_of("tflite-runtime")
    except PeerMissing as error:
        pytest.skip(str(error))
    run = subprocess.run([python, "-c", "import tflite_runtime.interpreter"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert python_of("tflite-runtime") == python
