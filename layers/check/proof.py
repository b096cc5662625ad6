"""Unpacks function and layers as Lambda does, and classifies a picture in a clean process that sees nothing else."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layers.check.compatibility import Problem
from layers.contents import Contents
from layers.cpulist import library
from layers.pythons import LANG, Interpreter, find_python
from layers.sandbox.bubblewrap import command, why_not
from layers.sandbox.view import OPT, TASK, View
from layers.targets import Target

SCRIPT = Path(__file__).with_name("first_answer.py")
TIMEOUT_S = 120
_OPTIONS = ("-I", "-S", "-B")
_SCRIPT, _PICTURE = "/run/first_answer.py", "/run/picture"
CLEAN_ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "TZ": ":UTC"}
"""Nothing of the builder's: no PYTHONPATH, no LD_LIBRARY_PATH, no MODEL_DIR."""
DELEGATE = "Created TensorFlow Lite XNNPACK delegate"
"""What LiteRT prints on standard error when it makes the delegate."""


@dataclass(frozen=True)
class Proof:
    """What the clean process showed, as lines for the reader, or why it failed."""

    lines: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class CleanRun:
    """A run of first_answer.py."""

    ended: subprocess.CompletedProcess[str] | None
    """None after `limit_s`."""
    where: str
    """Whether it was a sandbox, for the reader."""
    limit_s: int


def prove(target: Target, function: Contents, layers: list[Contents], picture: Path | None) -> Proof:
    """Import and classify with nothing but `function` and `layers`; the lines say if the target cannot run here."""
    if not target.is_this_machine:
        return Proof((f"not run: this machine does not execute {target.arch} code",))
    if (found := find_python(target.python)) is None:
        return Proof((f"not run: there is no Python {target.python} here",))
    return judge(run_clean(found, function, layers, picture, target.arch), str(found.path))


def run_clean(
    python: Interpreter,
    function: Contents,
    layers: list[Contents],
    picture: Path | None,
    arch: str = "x86_64",
    limit_s: int = TIMEOUT_S,
) -> CleanRun:
    """Run first_answer.py, which sees nothing but `function` and `layers`, in a sandbox if there is one.

    It loads before all others what a function on `arch` does. `picture` may be a folder of pictures.
    """
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        task, opt = Path(scratch, "task").resolve(), Path(scratch, "opt").resolve()
        opt.mkdir()
        function.extract(task)
        for layer in layers:
            layer.extract(opt)
        reason = why_not(python)
        make = _confined if reason is None else _unconfined
        program = make(python, task, opt, picture.resolve() if picture else None)
        where = "in a sandbox as on Lambda" if reason is None else f"not in a sandbox: {reason}"
        environment = CLEAN_ENVIRONMENT if reason else {**CLEAN_ENVIRONMENT, "LD_LIBRARY_PATH": f"{LANG}/lib"}
        if library.is_needed_on(arch):
            environment = {**environment, library.VARIABLE: str((opt if reason else Path(OPT)) / library.PATH)}
        try:
            ended = subprocess.run(
                program, capture_output=True, text=True, env=python.environment(environment), cwd=task, timeout=limit_s
            )
        except subprocess.TimeoutExpired:
            return CleanRun(None, where, limit_s)
        return CleanRun(ended, where, limit_s)


def _unconfined(python: Interpreter, task: Path, opt: Path, picture: Path | None) -> list[str]:
    return [*python.command, *_OPTIONS, str(SCRIPT), str(task), str(opt), *([str(picture)] if picture else [])]


def _confined(python: Interpreter, task: Path, opt: Path, picture: Path | None) -> list[str]:
    shown = {TASK: task, OPT: opt, _SCRIPT: SCRIPT, **({_PICTURE: picture} if picture else {})}
    program = [*python.sandboxed_command, *_OPTIONS, _SCRIPT, TASK, OPT, *([_PICTURE] if picture else [])]
    return command(View({**python.read_only, **shown}, folder=TASK), program, ["--die-with-parent"])


def judge(clean: CleanRun, python: str) -> Proof:
    """What a run shows; `python` names what ran it."""
    run = clean.ended
    if run is None:
        return _failed(f"no answer within {clean.limit_s} s")
    if run.returncode:
        last = [line for line in run.stderr.strip().splitlines() if line and not line.startswith("INFO:")][-1:]
        return _failed(f"exit code {run.returncode}: {last[0] if last else 'no message'}")
    facts = facts_of(run)
    if facts["outside"]:
        return _failed(f"modules from elsewhere were imported: {', '.join(facts['outside'][:5])}")
    if facts["answers"] and DELEGATE not in run.stderr:
        return _failed(
            "LiteRT made no XNNPACK delegate, without which an inference takes three times the instructions",
            f"On arm64 {library.LOADED_FROM} has to be loaded: look for LD_PRELOAD in layers/check/proof.py",
        )
    bytecode = f"{facts['compiled']} of {facts['modules']} modules from bytecode"
    lines = [f"answered in a clean process of {python}, {bytecode}", f"  {clean.where}"]
    lines += [f"  {name}: {_best(answers)}" for name, answers in facts["answers"].items()]
    if not facts["answers"]:
        return Proof((*lines, "  no model bundle: nothing was classified"))
    return Proof((*lines, "  LiteRT made its XNNPACK delegate"))


def facts_of(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What first_answer.py prints last: see its `main` and `loaded`."""
    facts: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return facts


def _best(answers: dict[str, tuple[str, float]]) -> str:
    label, score = next(iter(answers.values()))
    return f"{label} ({score:.3f}), decoded from {', '.join(answers)}"


def _failed(
    found: str, remedy: str = "If a module or a library is missing, look for it in layers/build/slimming.py"
) -> Proof:
    return Proof((), (Problem("clean process", found, remedy),))
