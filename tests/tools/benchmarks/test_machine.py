"""Every benchmark takes --processor, and stops if this machine cannot show what was requested."""

import argparse
import re

import pytest

from benchmarks import machine
from localaws.errors import ProcessorMissing
from localaws.processor.mask import LEVELS, VARIABLE, Shown
from tests.support.paths import ROOT

WITHOUT = ("arm64", "deployment", "prove", "fronts", "intake")
"""Emulated; measures nothing; measures another machine; runs no model; counts and does not measure."""
COMMANDS = [
    path
    for path in sorted((ROOT / "benchmarks").rglob("*.py"))
    if "ArgumentParser(" in path.read_text(encoding="utf-8") and path.name != "machine.py"
]


def test_there_are_benchmarks():
    names = {str(path.relative_to(ROOT / "benchmarks")) for path in COMMANDS}
    assert {"tune/__main__.py", "cold_start/__main__.py", "peers/__main__.py", "batch/proof.py"} < names


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_every_benchmark_has_the_option(path):
    added = re.findall(r"mask_option\.add_\w*option\(\w+\)", path.read_text(encoding="utf-8"))
    assert len(added) == (path.parent.name not in WITHOUT)


@pytest.fixture
def parser(monkeypatch):
    def show(level):
        if level == "avx512":
            raise ProcessorMissing("--processor avx512: none here")
        return Shown(level, {VARIABLE: level}, ROOT / "mask.so", "AVX2 shown of more (X)", None)

    monkeypatch.setattr(machine, "show", show)
    return argparse.ArgumentParser()


def test_what_cannot_be_shown_is_one_line(parser, capsys):
    assert machine.shown(parser, "avx2").heading == "AVX2 shown of more (X)"
    with pytest.raises(SystemExit, match="2"):
        machine.shown(parser, "avx512")
    assert capsys.readouterr().err == "error: --processor avx512: none here\n"


def test_a_benchmark_that_measures_itself_starts_again_under_the_mask(parser, monkeypatch):
    started = []
    monkeypatch.setattr(machine, "in_place", started.append)
    assert started == [] and machine.shown_to_this_process(parser, LEVELS[0]) == started[0]
