"""The finder of Pythons: this one, one on PATH, pyenv's or uv's."""

import subprocess
import sys
from pathlib import Path

import pytest

from layers.pythons import Interpreter, ask, find_python, own
from tests.support.paths import ROOT


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders for PATH, pyenv and uv, all empty."""
    for name in ("shims", "versions", "uv"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    return tmp_path


def write(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def test_our_own_version_is_ours_without_its_virtual_environment() -> None:
    assert find_python(own().version) == own()
    assert not own().path.is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix
    assert ask(Path(sys.executable)) is not None


@pytest.mark.parametrize(
    "place", ["shims/python3.99", "versions/3.99.1/bin/python3.99", "uv/cpython-3.99.1-linux/bin/python3.99"]
)
def test_each_place_is_looked_at(places: Path, place: str) -> None:
    write(places / place, "echo 3.99 /real/python")
    assert find_python("3.99") == Interpreter(Path("/real/python"), "3.99")


def test_a_shim_that_does_not_start_or_is_another_version_is_passed_over(places: Path) -> None:
    write(places / "shims/python3.99", "echo 'python3.99: command not found' >&2; exit 127")
    write(places / "versions/3.99.2/bin/python3.99", "echo 3.98 /other/python")
    assert find_python("3.99") is None
    write(places / "versions/3.99.1/bin/python3.99", "echo 3.99 /real/python")
    assert find_python("3.99") == Interpreter(Path("/real/python"), "3.99")


def test_a_longer_version_is_another_one(places: Path) -> None:
    write(places / "uv/cpython-3.99.1-linux/bin/python3.9", "echo 3.9 /wrong/python")
    assert find_python("3.9") is None


@pytest.mark.parametrize(("version", "printed"), [(own().version, f"{own().path}\n"), ("3.99", "\n")])
def test_make_reads_its_path_from_standard_output(version: str, printed: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "layers.pythons", version], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == printed
