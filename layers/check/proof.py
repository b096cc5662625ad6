"""Unpacks function and layers as Lambda does, and classifies a picture in a clean process that sees nothing else."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layers.check.compatibility import Problem
from layers.contents import Contents
from layers.pythons import find_python
from layers.targets import Target

SCRIPT = Path(__file__).with_name("first_answer.py")
TIMEOUT_S = 120
CLEAN_ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "TZ": ":UTC"}
"""Nothing of the builder's: no PYTHONPATH, no LD_LIBRARY_PATH, no MODEL_DIR."""


@dataclass(frozen=True)
class Proof:
    """What the clean process showed, as lines for the reader, or why it failed."""

    lines: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


def prove(target: Target, function: Contents, layers: list[Contents], picture: Path | None) -> Proof:
    """Import and classify with nothing but `function` and `layers`; the lines say if the target cannot run here."""
    if not target.is_this_machine:
        return Proof((f"not run: this machine does not execute {target.arch} code",))
    if (found := find_python(target.python)) is None:
        return Proof((f"not run: there is no Python {target.python} here",))
    return judge(run_clean(found.path, function, layers, picture), str(found.path), TIMEOUT_S)


def run_clean(
    python: Path, function: Contents, layers: list[Contents], picture: Path | None
) -> subprocess.CompletedProcess[str] | None:
    """Run first_answer.py, which sees nothing but `function` and `layers`; None after `TIMEOUT_S`."""
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        task, opt = Path(scratch, "task").resolve(), Path(scratch, "opt").resolve()
        function.extract(task)
        for layer in layers:
            layer.extract(opt)
        command = [str(python), "-I", "-S", "-B", str(SCRIPT), str(task), str(opt)]
        command += [str(picture.resolve())] if picture else []
        try:
            return subprocess.run(
                command, capture_output=True, text=True, env=CLEAN_ENVIRONMENT, cwd=task, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            return None


def judge(run: subprocess.CompletedProcess[str] | None, python: str, timeout_s: int) -> Proof:
    """What a run of first_answer.py shows; `python` names what ran it, None is one that did not end in time."""
    if run is None:
        return _failed(f"no answer within {timeout_s} s")
    if run.returncode:
        last = [line for line in run.stderr.strip().splitlines() if line and not line.startswith("INFO:")][-1:]
        return _failed(f"exit code {run.returncode}: {last[0] if last else 'no message'}")
    facts = facts_of(run)
    if facts["outside"]:
        return _failed(f"modules from elsewhere were imported: {', '.join(facts['outside'][:5])}")
    bytecode = f"{facts['compiled']} of {facts['modules']} modules from bytecode"
    lines = [f"answered in a clean process of {python}, {bytecode}"]
    lines += [f"  {name}: {_best(answers)}" for name, answers in facts["answers"].items()]
    return Proof(tuple(lines if facts["answers"] else [*lines, "  no model bundle: nothing was classified"]))


def facts_of(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What first_answer.py prints last: see its `main` and `loaded`."""
    facts: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return facts


def _best(answers: dict[str, tuple[str, float]]) -> str:
    label, score = next(iter(answers.values()))
    return f"{label} ({score:.3f}), decoded from {', '.join(answers)}"


def _failed(found: str) -> Proof:
    remedy = "If a module or a library is missing, look for it in layers/build/slimming.py"
    return Proof((), (Problem("clean process", found, remedy),))
