"""Fixtures: compilers, wheels from a folder instead of the network, and one real build for the whole session."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layers.__main__ import main
from layers.targets import target
from tests.support.account import empty_account
from tests.support.bundles import write_bundle
from tests.support.layers import arm64, build_real, local_zip, runtime_zip  # noqa: F401 - fixtures
from tests.support.paths import ROOT
from tests.support.wheelhouse import Compiler

X86_64 = target("3.13", "x86_64")
ARM64 = target("3.13", "arm64")


@pytest.fixture
def compile_object(tmp_path: Path) -> Compiler:
    return Compiler(tmp_path / "objects")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the whole package index."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """A folder with the bundle `tiny`."""
    write_bundle(tmp_path / "models", name="tiny")
    return tmp_path / "models"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with this one's configuration, which a test may change."""
    shutil.copytree(ROOT / ".chalice", tmp_path / "project/.chalice", ignore=shutil.ignore_patterns("deploy*"))
    return tmp_path / "project"


@pytest.fixture
def stages(project: Path) -> Callable[[], dict[str, dict[str, object]]]:
    """The project's stages as they stand now."""
    return lambda: json.loads((project / ".chalice/config.json").read_text())["stages"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account, which boto3's clients reach."""
    with empty_account(monkeypatch, "eu-west-1"):
        yield


def of_each_stage(function: str, setting: str) -> list[Any]:
    """A function's setting as Chalice finds it: under the stage and the function, the stage, the function, or all."""
    config = json.loads((ROOT / ".chalice/config.json").read_text())
    places = [
        [
            stage.get("lambda_functions", {}).get(function, {}),
            stage,
            config["lambda_functions"].get(function, {}),
            config,
        ]
        for stage in config["stages"].values()
    ]
    return [next(place[setting] for place in looked_at if setting in place) for looked_at in places]


class Outcome:
    """What a command line gave."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run `python -m layers` in this process."""

    def run_main(*arguments: object) -> Outcome:
        code = main([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return run_main


@pytest.fixture
def run_python() -> Callable[..., str]:
    """Run code in a process that sees one folder and Python's own library; gives what it printed."""

    def run_code(code: str, folder: Path, python: str = sys.executable) -> str:
        code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
        command = [python, "-I", "-S", "-B", "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    return run_code
