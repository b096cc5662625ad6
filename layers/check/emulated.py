"""Proves the arm64 layer on a machine of another processor: it answers emulated, as on Lambda, and as x86_64 does.

The process sees no /sys, as on Lambda, and loads the layer's library before all others, as the deployed function does.
"""

import platform
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from layers.check import proof
from layers.check.compatibility import Problem
from layers.check.proof import CLEAN_ENVIRONMENT, SCRIPT, Proof, facts_of, judge
from layers.contents import Contents
from layers.cpulist import library
from layers.emulator.emulator import PROCESSOR, Emulator, find_emulator
from layers.emulator.root import PYTHON
from layers.pythons import own
from layers.sandbox import bubblewrap
from layers.sandbox.view import OPT, TASK, View
from layers.targets import Target

TIMEOUT_S = 1800
"""An inference of Inception v3 takes 2 to 10 s emulated, and each model classifies a dozen pictures or more."""
LARGEST_DIFFERENCE = 0.02
"""Of a score, between the two processors: they round differently."""
DELEGATE = "Created TensorFlow Lite XNNPACK delegate"
"""What LiteRT prints on standard error when it makes the delegate."""
_SCRIPT, _PICTURES = "/run/first_answer.py", "/run/pictures"


def prove(target: Target, function: Contents, layers: list[Contents], picture: Path | None) -> Proof:
    """Import and classify with nothing but `function` and `layers`, emulated if this machine runs other code.

    The lines say what could not be run, and why.
    """
    if target.is_this_machine or target.arch != "arm64":
        return proof.prove(target, function, layers, picture)
    if target.python != PYTHON:
        return Proof((f"not run: the emulator has Python {PYTHON}, not {target.python}",))
    if isinstance(emulator := find_emulator(), str):
        return Proof((f"not run: {emulator}",))
    return _prove_emulated(emulator, target, function, layers, picture)


def _prove_emulated(
    emulator: Emulator, target: Target, function: Contents, layers: list[Contents], picture: Path | None
) -> Proof:
    why_not = bubblewrap.why_not(emulator.interpreter)
    run = run_emulated(emulator, target, function, layers, picture, in_sandbox=why_not is None)
    shown = judge(run, f"{emulator.qemu} ({PROCESSOR})", TIMEOUT_S)
    if run is None or shown.problems:
        return shown
    lines = [*shown.lines, f"/sys was not hidden from it: {why_not}" if why_not else "  without /sys, as on Lambda"]
    answers = facts_of(run)["samples"]
    if not answers:
        return Proof(tuple(lines))
    if DELEGATE not in run.stderr:
        remedy = f"{library.LOADED_FROM} has to be loaded: LD_PRELOAD, layers/cpulist"
        return Proof((), (Problem("clean process", "LiteRT made no XNNPACK delegate", remedy),))
    lines.append("  XNNPACK's delegate was made")
    if (reference := _answers_of_x86_64(function, layers[1:], picture)) is None:
        return Proof(
            (*lines, "not compared with x86_64: what the layer holds is not installed here, see `make layers`")
        )
    problems = tuple(differences(answers, reference))
    return Proof((*lines, *_compared(answers, reference)) if not problems else (), problems)


def run_emulated(
    emulator: Emulator,
    target: Target,
    function: Contents,
    layers: list[Contents],
    picture: Path | None,
    in_sandbox: bool = True,
    with_library: bool = True,
) -> subprocess.CompletedProcess[str] | None:
    """Run first_answer.py in the emulator's Python; None after `TIMEOUT_S`."""
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        task, opt = _unpacked(Path(scratch), function, layers)
        python, places = emulator.interpreter.command, (SCRIPT, task, opt, *_files(picture))
        if in_sandbox:
            inside = (_SCRIPT, TASK, OPT, *(f"{_PICTURES}/{file.name}" for file in places[3:]))
            view = View({**emulator.interpreter.read_only, **dict(zip(inside, places, strict=True))})
            program = [*emulator.interpreter.sandboxed_command, "-I", "-S", "-B", *inside]
            command = bubblewrap.command(view, program, ["--die-with-parent"])
            preload = library.preload(target.arch)
        else:
            command = [*python, "-I", "-S", "-B", *map(str, places)]
            preload = str(opt / library.PATH)
        variables = {**CLEAN_ENVIRONMENT, **({library.VARIABLE: preload} if with_library else {})}
        try:
            return subprocess.run(
                command, capture_output=True, text=True, env=emulator.environment(variables), timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            return None


def differences(answers: dict[str, Any], reference: dict[str, Any]) -> Iterator[Problem]:
    """Where two runs of first_answer.py disagree: in a first label, or in a score by more than `LARGEST_DIFFERENCE`."""
    for model, pictures in answers.items():
        for name, scores in pictures.items():
            others = reference[model][name]
            ours, theirs = max(scores, key=scores.get), max(others, key=others.get)
            if ours != theirs:
                found = f"{name}: first label {ours!r}, on x86_64 {theirs!r}"
                yield Problem(model, found, "Do not deploy it to arm64: report it, with the model")
            elif (difference := _difference(scores, others)) > LARGEST_DIFFERENCE:
                found = f"{name}: a score differs by {difference:.4f} from x86_64's, more than {LARGEST_DIFFERENCE}"
                yield Problem(model, found, "Do not deploy it to arm64: report it, with the model")


def _compared(answers: dict[str, Any], reference: dict[str, Any]) -> Iterator[str]:
    for model, pictures in answers.items():
        largest = max(_difference(scores, reference[model][name]) for name, scores in pictures.items())
        yield (
            f"  {model}: the same first label as on x86_64 for {len(pictures)} pictures; "
            f"scores differ by at most {largest:.6f}"
        )


def _difference(one: dict[str, float], other: dict[str, float]) -> float:
    return max(abs(one[label] - other[label]) for label in one)


def _answers_of_x86_64(function: Contents, models: list[Contents], picture: Path | None) -> dict[str, Any] | None:
    """What this machine answers with the packages that it has installed; None if it is no x86_64, or has them not."""
    spec = find_spec("ai_edge_litert")
    if platform.machine() != "x86_64" or spec is None or spec.origin is None:
        return None
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        task, opt = _unpacked(Path(scratch), function, models)
        (opt / "python").symlink_to(Path(spec.origin).parents[1])
        command = [str(own().path), "-I", "-S", "-B", str(SCRIPT), str(task), str(opt), *map(str, _files(picture))]
        run = subprocess.run(
            command, capture_output=True, text=True, env=CLEAN_ENVIRONMENT, timeout=proof.TIMEOUT_S, check=True
        )
    samples: dict[str, Any] = facts_of(run)["samples"]
    return samples


def _unpacked(folder: Path, function: Contents, layers: list[Contents]) -> tuple[Path, Path]:
    """The folders of function and layers below `folder`."""
    task, opt = (folder / "task").resolve(), (folder / "opt").resolve()
    opt.mkdir()
    function.extract(task)
    for layer in layers:
        layer.extract(opt)
    return task, opt


def _files(picture: Path | None) -> list[Path]:
    """The picture, or the pictures of a folder."""
    if picture is None:
        return []
    return sorted(picture.resolve().iterdir()) if picture.is_dir() else [picture.resolve()]
