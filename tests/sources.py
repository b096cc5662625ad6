"""Reads source text: what the tests of the architecture share."""

import ast
from pathlib import Path


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
