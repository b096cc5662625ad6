"""The arm64 layer answers: emulated, without /sys, with XNNPACK, and as x86_64 does."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from layers.build.function import function_contents
from layers.check import emulated
from layers.check.emulated import differences
from layers.check.proof import judge, run_clean
from layers.contents import from_files, open_contents
from layers.emulator.emulator import Emulator
from layers.sandbox.bubblewrap import why_not
from layers.targets import target
from tests.support.bundles import DATA_DIR
from tests.support.paths import ROOT
from tests.tools.layers.conftest import ARM64, Outcome

REMEDY = "Deploy this model for x86_64 and report it"


@pytest.fixture(scope="session")
def arm64_zip(build_real: Callable[[object], Path], arm64: Emulator) -> Path:
    """The arm64 layer, where it can be run."""
    return build_real(ARM64)


def test_the_layer_answers_as_x86_64_does(arm64_zip: Path, tmp_path: Path, run: Callable[..., Outcome]) -> None:
    shutil.copy(arm64_zip, tmp_path)
    outcome = run("check", "--out", tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert "(neoverse-n1), " in outcome.out and "not run" not in outcome.out
    assert "  digits: 7 (1.000), decoded from JPEG, PNG, WEBP, GIF, BMP\n" in outcome.out
    assert "  LiteRT made its XNNPACK delegate\n" in outcome.out
    assert "  digits: the same first label as on x86_64 for 4 pictures, scores differ by at most " in outcome.out


def test_without_the_library_it_fails(arm64_zip: Path, arm64: Emulator) -> None:
    """As on Lambda, where nothing but the missing delegate shows it."""
    if reason := why_not(arm64.interpreter):
        pytest.skip(reason)
    with open_contents(arm64_zip) as layer:
        loading_nothing = "x86_64"
        clean = run_clean(
            arm64.interpreter, function_contents(ROOT), [layer], DATA_DIR / "seven.png", loading_nothing, 600
        )
    assert clean.ended is not None and "failed to parse both lists of possible" in clean.ended.stderr
    [problem] = judge(clean, "qemu").problems
    assert problem.found.startswith("LiteRT made no XNNPACK delegate")


def test_another_python_than_the_emulators_is_not_run() -> None:
    if target("3.12", "arm64").is_this_machine:
        pytest.skip("arm64 runs here")
    proof = emulated.prove(target("3.12", "arm64"), from_files("function", {}), [], None)
    assert proof.lines == ("not run: the emulator's Python is 3.13, this layer is for 3.12",)


def test_without_an_emulator_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if ARM64.is_this_machine:
        pytest.skip("arm64 runs here")
    monkeypatch.setenv("PATH", str(tmp_path))
    proof = emulated.prove(ARM64, from_files("function", {}), [], None)
    [line] = proof.lines
    assert line.startswith("not run: ") and "apt-get install qemu-user" in line


@pytest.mark.parametrize(
    ("scores", "found"),
    [
        ({"red": 0.6, "blue": 0.4}, None),
        ({"red": 0.61, "blue": 0.39}, None),
        ({"red": 0.63, "blue": 0.4}, "a: a score differs by 0.0300 from x86_64's, more than 0.02"),
        ({"red": 0.6, "blue": 0.43}, "a: a score differs by 0.0300 from x86_64's, more than 0.02"),
        ({"red": 0.4, "blue": 0.6}, "a: the first label is 'blue', on x86_64 'red'"),
    ],
)
def test_first_labels_and_scores_are_compared(scores: dict[str, float], found: str | None) -> None:
    same = {"red": 1.0, "blue": 0.0}
    answers = {"colours": {"same": same, "a": scores}}
    problems = list(differences(answers, {"colours": {"same": same, "a": {"red": 0.6, "blue": 0.4}}}))
    assert problems == ([("colours", found, REMEDY)] if found else [])


def test_a_folder_of_pictures_is_sampled_whole(tmp_path: Path) -> None:
    """By this machine's own Python, with the packages that it has installed."""
    (tmp_path / "pictures").mkdir()
    for name in ("a.png", "b.png"):
        shutil.copy(DATA_DIR / "seven.png", tmp_path / "pictures" / name)
    answers = emulated._answers_of_x86_64(function_contents(ROOT), [], tmp_path / "pictures")
    if answers is None:
        pytest.skip("not x86_64")
    ways = ("", ", FLIP_LEFT_RIGHT", ", ROTATE_90", ", ROTATE_180")
    assert sorted(answers["digits"]) == sorted(f"{name}{way}" for name in ("a.png", "b.png") for way in ways)
    assert answers["digits"]["a.png"]["7"] > 0.9
