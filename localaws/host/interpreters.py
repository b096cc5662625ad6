"""The Pythons of this machine, for a function runs on the version that its runtime names."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localaws.errors import PythonMissing

_ASK = "import sys; print('%d.%d' % sys.version_info[:2], getattr(sys, '_base_executable', '') or sys.executable)"
PREFERRED = ("3.13", "3.14", "3.12")
"""Of Lambda's Pythons, the first that is installed here runs the functions."""


@dataclass(frozen=True)
class Interpreter:
    """A Python outside any virtual environment."""

    path: Path
    version: str
    """Major and minor, `3.13`."""

    @property
    def runtime(self) -> str:
        """Lambda's identifier for this version."""
        return f"python{self.version}"


def own() -> Interpreter:
    """The interpreter below the one that runs this program."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Interpreter(Path(base), f"{sys.version_info.major}.{sys.version_info.minor}")


def ask(path: Path) -> Interpreter | None:
    """What an executable says it is; None when it is no Python that starts (a pyenv shim without a version)."""
    try:
        answer = subprocess.run([path, "-c", _ASK], capture_output=True, text=True, timeout=30, check=True)
        version, _, base = answer.stdout.strip().partition(" ")
    except (OSError, subprocess.SubprocessError):
        return None
    return Interpreter(Path(base), version) if base else None


def find(wanted: str) -> Interpreter:
    """The interpreter for `python3.13`, `3.13` or a path to one; raises PythonMissing."""
    if os.sep in wanted:
        chosen = ask(Path(wanted))
        if chosen is None:
            raise PythonMissing(f"{wanted} is not a Python that starts")
        return chosen
    version = wanted.removeprefix("python")
    if version == own().version:
        return own()
    for path in _candidates(version):
        found = ask(path)
        if found is not None and found.version == version:
            return found
    raise PythonMissing(
        f"no Python {version} is installed here, and the function's runtime is python{version}: "
        f"install one (`uv python install {version}` or `pyenv install {version}`) or choose another with --python"
    )


def preferred() -> Interpreter:
    """The first of `PREFERRED` that is installed, else the one that runs this program."""
    for version in PREFERRED:
        try:
            return find(version)
        except PythonMissing:
            continue
    return own()


def _candidates(version: str) -> Iterator[Path]:
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local" / "share" / "uv" / "python")
    yield from sorted(uv.glob(f"cpython-{version}*/bin/python{version}"), reverse=True)
