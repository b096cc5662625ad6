"""Proves the arm64 layer on a machine of another processor: it answers emulated, and as x86_64 does.

Its sandbox has no /sys, as on Lambda, and the process loads the layer's library as the deployed function does.
"""

import platform
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from layers.build.slimming import reason_to_leave_out
from layers.check import proof
from layers.check.compatibility import Problem
from layers.check.proof import Proof, facts_of, judge, run_clean
from layers.contents import Contents, from_files
from layers.emulator.emulator import PROCESSOR, find_emulator
from layers.emulator.root import PYTHON
from layers.pythons import own
from layers.targets import Target

TIMEOUT_S = 3600
"""An inference of Inception v3 takes some seconds emulated."""
LARGEST_DIFFERENCE = 0.02
"""Of a score, between the two processors: they round differently."""
PACKAGES = ("ai_edge_litert", "numpy", "PIL", "pillow.libs")
"""What the runtime layer holds, as pip installs it."""
BLAS = "numpy.libs"
"""The folder of OpenBLAS, which the layer does not hold and the installed numpy does not load without."""

Samples = dict[str, dict[str, dict[str, float]]]
"""Model, picture and label to score: see `main` in first_answer.py."""


def prove(target: Target, function: Contents, layers: list[Contents], picture: Path | None) -> Proof:
    """Import and classify with nothing but `function` and `layers`, emulated if this machine runs other code.

    The lines say what could not be run, and why.
    """
    if target.is_this_machine or target.arch != "arm64":
        return proof.prove(target, function, layers, picture)
    if target.python != PYTHON:
        return Proof((f"not run: the emulator's Python is {PYTHON}, this layer is for {target.python}",))
    if isinstance(emulator := find_emulator(), str):
        return Proof((f"not run: {emulator}",))
    clean = run_clean(emulator.interpreter, function, layers, picture, target.arch, TIMEOUT_S)
    shown = judge(clean, f"{emulator.qemu} ({PROCESSOR})")
    if clean.ended is None or shown.problems or not (answers := facts_of(clean.ended)["samples"]):
        return shown
    reference = _answers_of_x86_64(function, layers[1:], picture)
    if reference is None:
        return Proof((*shown.lines, "  not compared with x86_64: its own packages do not answer here"))
    problems = tuple(differences(answers, reference))
    return Proof((), problems) if problems else Proof((*shown.lines, *_compared(answers, reference)))


def differences(answers: Samples, reference: Samples) -> Iterator[Problem]:
    """Where two processors disagree: in a first label, or in a score by more than `LARGEST_DIFFERENCE`."""
    remedy = "Deploy this model for x86_64 and report it"
    for model, name, ours, theirs in _pairs(answers, reference):
        first, expected = max(ours, key=ours.__getitem__), max(theirs, key=theirs.__getitem__)
        if first != expected:
            yield Problem(model, f"{name}: the first label is {first!r}, on x86_64 {expected!r}", remedy)
        elif (difference := _largest(ours, theirs)) > LARGEST_DIFFERENCE:
            found = f"{name}: a score differs by {difference:.4f} from x86_64's, more than {LARGEST_DIFFERENCE}"
            yield Problem(model, found, remedy)


def _compared(answers: Samples, reference: Samples) -> Iterator[str]:
    for model, pictures in answers.items():
        largest = max(_largest(ours, theirs) for _, _, ours, theirs in _pairs({model: pictures}, reference))
        same = f"the same first label as on x86_64 for {len(pictures)} pictures"
        yield f"  {model}: {same}, scores differ by at most {largest:.2g}"


def _pairs(answers: Samples, reference: Samples) -> Iterator[tuple[str, str, dict[str, float], dict[str, float]]]:
    """Model, picture and the scores of both."""
    for model, pictures in answers.items():
        for name, scores in pictures.items():
            yield model, name, scores, reference[model][name]


def _largest(ours: dict[str, float], theirs: dict[str, float]) -> float:
    return max(abs(ours[label] - theirs[label]) for label in ours)


def _answers_of_x86_64(function: Contents, models: list[Contents], picture: Path | None) -> Samples | None:
    """What this machine answers with what it has installed; None if it has not, or is no x86_64."""
    installed = _installed()
    if platform.machine() != "x86_64" or installed is None:
        return None
    clean = run_clean(own(), function, [installed, *models], picture)
    if clean.ended is None or clean.ended.returncode:
        return None
    samples: Samples = facts_of(clean.ended)["samples"]
    return samples


def _installed() -> Contents | None:
    """What the runtime layer holds, from this program's own environment."""
    spec = find_spec(PACKAGES[0])
    if spec is None or spec.origin is None:
        return None
    site = Path(spec.origin).parents[1]
    files = (file for package in (*PACKAGES, BLAS) for file in (site / package).rglob("*") if file.is_file())
    names = {file.relative_to(site).as_posix(): file for file in files}
    kept = {name: file for name, file in names.items() if name.startswith(BLAS) or not reason_to_leave_out(name)}
    return from_files("installed", {f"python/{name}": file for name, file in kept.items()})
