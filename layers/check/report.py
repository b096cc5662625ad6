"""`check`: every rule over artefacts, the table of sizes, and the proof."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from layers.build.function import function_contents
from layers.check import sizes
from layers.check.compatibility import Problem, find_notes, find_problems
from layers.check.emulated import prove
from layers.check.preloaded import library_problems
from layers.contents import Contents, open_contents
from layers.errors import ContentsError
from layers.targets import Target, target_of


@dataclass
class Report:
    """What `check` found: a table, the proof's lines, and the problems; no problem means good to deploy."""

    table: Table
    lines: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def check_deployment(target: Target, runtime: Path, models: list[Path], project: Path, picture: Path | None) -> Report:
    """One function with its layers: files, sizes, and the first answer. Raises ContentsError."""
    with ExitStack() as stack:
        paths = [runtime, *models]
        layers = [stack.enter_context(open_contents(path)) for path in paths]
        function = function_contents(project)
        measured = [sizes.total(layer, path.stat().st_size) for layer, path in zip(layers, paths, strict=True)]
        report = Report(_table(target, function, measured, layers))
        report.problems += [problem for layer in layers for problem in find_problems(layer, target)]
        report.problems += library_problems(layers[0], target)
        report.problems += sizes.over_budget(measured[0])
        report.problems += sizes.over_limits(sizes.total(function), measured)
        if not report.problems:
            report.lines += [note for layer in layers for note in find_notes(layer, target)]
            proof = prove(target, function, layers, picture)
            report.lines += proof.lines
            report.problems += proof.problems
    return report


def check_artefact(target: Target, path: Path) -> Report:
    """Any one folder, zip, wheel or shared object: its files and its size. Raises ContentsError."""
    with open_contents(path) as contents:
        zipped = path.stat().st_size if path.is_file() else 0
        rows = [(sizes.total(contents, zipped), sizes.by_package(contents))]
        report = Report(sizes.table(f"{path.name}, for {_describe(target)}", rows))
        report.problems += find_problems(contents, target)
        report.lines += [] if report.problems else find_notes(contents, target)
    return report


def runtime_zips(folder: Path, python: str | None = None, arch: str | None = None) -> list[tuple[Target, Path]]:
    """The runtime layers in `folder` with their targets, or those for `python` and `arch`; raises ContentsError."""
    named = [(target, path) for path in sorted(folder.glob("runtime-*.zip")) if (target := target_of(path.name))]
    found = [(t, path) for t, path in named if python in (None, t.python) and arch in (None, t.arch)]
    if not found:
        raise ContentsError(f"{folder} holds no such runtime layer: run `python -m layers build` first")
    return found


def model_zips(folder: Path) -> list[Path]:
    """The model layers in `folder`."""
    return sorted(folder.glob("model-*.zip"))


def _table(target: Target, function: Contents, measured: list[sizes.Size], layers: list[Contents]) -> Table:
    rows = [(size, sizes.by_package(layer)) for size, layer in zip(measured, layers, strict=True)]
    return sizes.table(f"for {_describe(target)}", rows, sizes.total(function))


def _describe(target: Target) -> str:
    return f"Python {target.python} on {target.arch} ({target.system.name})"
