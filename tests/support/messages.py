"""Every message that the program can print when something is wrong, read from its source.

A message is a template: literal text, with VARYING where a value stands.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT
from tests.support.sources import TREES

VARYING = "\0"
PACKAGES = tuple(tree for tree in TREES if tree != "benchmarks")  # whose messages only its developers meet
BASES = {"SlimceptionError", "RequestFailed", "ConvertError", "LayerError", "LocalAwsError", "ArgumentTypeError"}
FOUND_IN_CHECK, CHECKED = "Problem", "_require"
"""`layers check` collects what it finds; a model card's fields are checked by a function that raises."""


class Message(NamedTuple):
    text: str
    where: str


def messages() -> list[Message]:
    """Of every raised error, every finding of `layers check`, the Makefile and the page."""
    classes = _error_classes()
    found = [message for path in _sources() for message in _Module(path, classes).messages()]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in re.findall(r"\|\| \{ echo (.*?); exit \d", makefile):
        found.append(Message(_without_make(" ".join(re.findall(r'"([^"]*)"', line))), "Makefile"))
    for script in sorted((ROOT / "chalicelib" / "api" / "web").glob("*.js")):
        for line in re.findall(r"new Problem\((\".*)$", script.read_text(encoding="utf-8"), re.M):
            found.append(Message(VARYING.join(re.findall(r'"([^"]*)"', line)), script.name))
    return [message for message in found if re.search(r"\w{3}", message.text)]


def _without_make(text: str) -> str:
    return re.sub(r"\$\([^)]*\)|\$\*", VARYING, text)


def _sources() -> list[Path]:
    return [ROOT / "app.py", *(path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))]


def _error_classes() -> set[str]:
    """The bases and all that is derived from them, in any module."""
    known, size = set(BASES), 0
    nodes = [n for path in _sources() for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ClassDef)]
    while size != len(known):
        size = len(known)
        known |= {node.name for node in nodes if {_name(base) for base in node.bases} & known}
    return known


class _Module:
    def __init__(self, path: Path, classes: set[str]) -> None:
        self._where, self._classes = str(path.relative_to(ROOT)), classes
        self._tree = ast.parse(path.read_text(encoding="utf-8"))

    def messages(self) -> Iterator[Message]:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call):
                for argument in self._told_by(node):
                    for text in self._texts(argument, depth=0):
                        yield Message(text, f"{self._where}:{node.lineno}")

    def _told_by(self, call: ast.Call) -> list[ast.expr]:
        name = _name(call.func)
        if name in self._classes:
            return call.args[:1]
        if name in (FOUND_IN_CHECK, CHECKED):
            return call.args[1:2]
        to_stderr = name == "print" and any(ast.unparse(k.value) == "sys.stderr" for k in call.keywords)
        return call.args[:1] if to_stderr else []

    def _texts(self, node: ast.expr, depth: int) -> Iterator[str]:
        """What an expression may say: a text, a name that was given one, a function of this module that returns one."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else VARYING for part in node.values)
        elif isinstance(node, ast.Name) and depth < 2:
            for other in ast.walk(self._tree):
                if isinstance(other, ast.Assign) and _name(other.targets[0]) == node.id:
                    yield from self._texts(other.value, depth + 1)
        elif isinstance(node, ast.Call) and depth < 2:
            for other in ast.walk(self._tree):
                if isinstance(other, ast.FunctionDef) and other.name == _name(node.func):
                    returned = (n.value for n in ast.walk(other) if isinstance(n, ast.Return) and n.value)
                    yield from (text for value in returned for text in self._texts(value, depth + 1))


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
