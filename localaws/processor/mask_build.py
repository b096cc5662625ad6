"""Compiles a C source of this project into a shared library, once: it is kept in the user's cache."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from layers.cache import cached
from localaws.errors import CompilerMissing

_OPTIONS = ("-O2", "-Wall", "-shared", "-fPIC", "-fvisibility=hidden")
_LIMIT_S = 120


def library(source: Path, options: Sequence[str] = (), compiler: Sequence[str] | None = None) -> Path:
    """The shared library made of `source`; raises CompilerMissing, also if the compiler refuses.

    `compiler` is a command (default: what `find_compiler` finds). The file appears whole or not at all.
    """
    key = hashlib.sha256("\0".join([source.read_text(encoding="utf-8"), *options]).encode()).hexdigest()[:12]

    def make(built: Path) -> None:
        _run([*(compiler or find_compiler()), *_OPTIONS, *options, "-o", str(built), str(source)], source.name)

    return cached("native", f"{source.stem}-{key}.so", make)


def find_compiler() -> list[str]:
    """`cc`, or the compiler of the package ziglang; raises CompilerMissing."""
    if cc := shutil.which("cc"):
        return [cc]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise CompilerMissing(
        "no C compiler is installed here: install gcc or clang, or `pip install ziglang` into this environment"
    )


def _run(command: list[str], name: str) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompilerMissing(f"{name} cannot be compiled: {error}: install another C compiler") from error
    if ended.returncode != 0:
        reason = next((line for line in ended.stderr.splitlines() if "error" in line), "the compiler gives no reason")
        raise CompilerMissing(f"{name} cannot be compiled: {reason}: install another C compiler")
