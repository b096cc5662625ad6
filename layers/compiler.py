"""Compiles a C source for the target's processor, on any machine that has one of three compilers."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from layers.errors import CompilerError
from layers.targets import Target

OPTIONS = ("-shared", "-fPIC", "-O2", "-s", "-Wall", "-Wextra", "-Werror")
"""Without symbols, so that the bytes depend on source and compiler and not on the folder."""
_LIMIT_S = 300


def compile_library(target: Target, source: Path, path: Path, options: Sequence[str] = ()) -> None:
    """Write the shared object of `source` to `path`; the same compiler gives the same bytes. Raises CompilerError."""
    command = _compiler(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    run = subprocess.run(
        [*command, *OPTIONS, *options, "-o", str(path), str(source)], capture_output=True, text=True, timeout=_LIMIT_S
    )
    if run.returncode or not path.is_file():
        last = (run.stderr.strip().splitlines() or ["no message"])[-1]
        raise CompilerError(f"{' '.join(command[:4])} cannot compile the library {source.name}: {last}")


def _compiler(target: Target) -> list[str]:
    """Zig from PyPI first: with a pinned version the bytes are the same everywhere."""
    processor = target.processor.wheel
    if importlib.util.find_spec("ziglang"):
        glibc = ".".join(map(str, target.system.newest["GLIBC"]))
        return [sys.executable, "-m", "ziglang", "cc", "-target", f"{processor}-linux-gnu.{glibc}"]
    if found := shutil.which(f"{processor}-linux-gnu-gcc"):
        return [found]
    if target.is_this_machine and (found := shutil.which("cc")):
        return [found]
    raise CompilerError(
        f"there is no compiler for {target.arch} here, and its layer needs libraries: `pip install ziglang`, "
        f"or install {processor}-linux-gnu-gcc (Debian: gcc-{processor}-linux-gnu)"
    )
