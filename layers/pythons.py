"""Finds the Pythons of this machine and asks each which one it is.

`python -m layers.pythons 3.13` prints the path of that Python, or an empty line if it is not here.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

LAMBDA_PYTHONS = ("3.12", "3.13", "3.14")
"""Those that layers are built for, the oldest first."""
LANG = "/var/lang"
"""Where Lambda has its Python, and a sandbox shows this one."""
_ASK = "import sys; print('%d.%d' % sys.version_info[:2], getattr(sys, '_base_executable', '') or sys.executable)"
_ASK_S = 30


@dataclass(frozen=True)
class Interpreter:
    """A Python outside any virtual environment."""

    path: Path
    version: str
    """Major and minor, `3.13`."""

    @property
    def machine(self) -> str:
        """The processor that its programs are for, as `platform.machine()` has it."""
        return platform.machine()

    @property
    def command(self) -> tuple[str, ...]:
        """The beginning of a command line that runs it."""
        return (str(self.path),)

    @property
    def read_only(self) -> Mapping[str, Path]:
        """What a sandbox must show of it: path inside to path outside. A Python finds its library beside itself."""
        return {LANG: self._prefix}

    @property
    def sandboxed_command(self) -> tuple[str, ...]:
        """The same as `command`, in a sandbox that shows `read_only`."""
        return (f"{LANG}/{self.path.resolve().relative_to(self._prefix)}",)

    def environment(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """The environment of the command's process, with which the interpreter gets `wanted`."""
        return dict(wanted)

    @property
    def _prefix(self) -> Path:
        return self.path.resolve().parents[1]

    @property
    def runtime(self) -> str:
        """Lambda's identifier for this version, `python3.13`."""
        return f"python{self.version}"


def own() -> Interpreter:
    """The interpreter below the one that runs this program."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Interpreter(Path(base), f"{sys.version_info.major}.{sys.version_info.minor}")


def ask(path: Path) -> Interpreter | None:
    """What an executable says it is; None for a program that is not a Python or does not start.

    The latter is what a shim of pyenv's does for a version that is not selected.
    """
    try:
        run = subprocess.run([path, "-I", "-S", "-c", _ASK], capture_output=True, text=True, timeout=_ASK_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    version, _, base = run.stdout.strip().partition(" ")
    return Interpreter(Path(base), version) if base else None


def find_python(version: str) -> Interpreter | None:
    """The interpreter of `version` ("3.13"): this one, one on PATH, pyenv's or uv's; None if it is not here."""
    if version == own().version:
        return own()
    answers = map(ask, _candidates(version))
    return next((found for found in answers if found and found.version == version), None)


def _candidates(version: str) -> Iterator[Path]:
    if on_path := shutil.which(f"python{version}"):
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local" / "share" / "uv" / "python")
    yield from sorted(uv.glob(f"cpython-{version}[.-]*/bin/python{version}"), reverse=True)


if __name__ == "__main__":
    wanted = find_python(sys.argv[1])
    print(wanted.path if wanted else "")
