"""Reads source text: what the tests of the architecture share."""

import ast
from pathlib import Path

from tests.support.paths import ROOT

TREES = ("chalicelib", "convert", "layers", "localaws", "benchmarks")


def imports_of(path: Path) -> list[str]:
    """Every module that is imported, at the top or within a function, as a dotted name with what is taken from it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def modules() -> dict[str, Path]:
    """Every module of the product by its dotted name: `app`, and those of `TREES`."""
    paths = [ROOT / "app.py", *(path for tree in TREES for path in sorted((ROOT / tree).rglob("*.py")))]
    return {_dotted(path): path for path in paths if path.name != "__init__.py"}


def module_of(name: str, known: dict[str, Path]) -> str | None:
    """The module that an imported name belongs to: itself, or what it is taken from; None for others' modules."""
    return name if name in known else next((n for n in (name.rpartition(".")[0],) if n in known), None)


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)
