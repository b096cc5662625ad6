"""The order in `layers`' docstring is the order of its imports."""

import ast
import re

import layers
from tests.conftest import ROOT

FILES = {path.stem: path for path in (ROOT / "layers").glob("*.py")}
CHAIN = re.search(r"left to right:\n(.*?)\n`", layers.__doc__ or "", re.DOTALL)
RANKS = {
    name: rank for rank, group in enumerate(CHAIN[1].split("->") if CHAIN else ()) for name in re.findall(r"\w+", group)
}
RUN_BY_THE_TARGET = {"compile_script", "first_answer"}


def imported(name: str) -> set[str]:
    """Modules of this package that `name` imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "layers":
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("layers."):
            found.add(str(node.module).removeprefix("layers."))
    return found


def test_every_module_is_in_the_docstring() -> None:
    assert set(RANKS) | RUN_BY_THE_TARGET | {"__init__"} == set(FILES)


def test_imports_point_one_way() -> None:
    backwards = [(name, other) for name in RANKS for other in imported(name) if RANKS[other] >= RANKS[name]]
    assert backwards == []


def test_what_the_target_runs_imports_nothing_of_this_package() -> None:
    assert [name for name in RUN_BY_THE_TARGET if imported(name)] == []
