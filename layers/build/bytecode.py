"""Finds the target's Python on this machine, and has it compile what is shipped."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from layers.errors import BytecodeError

SCRIPT = Path(__file__).with_name("compile_script.py")


def find_python(version: str) -> Path | None:
    """An interpreter of `version` ("3.13"): this one, one on PATH, pyenv's or uv's; None when there is none."""
    for candidate in _candidates(version):
        if _version_of(candidate) == version:
            return candidate
    return None


def add_bytecode(version: str, folder: Path, mounted_at: str, checked: bool = False) -> str:
    """Compile what lies in `folder`, when the Python for it is here; gives a sentence on what was done."""
    python = find_python(version)
    if python is None:
        return (
            f"no bytecode: there is no Python {version} here to make it, so every cold start compiles "
            f"(install one: `uv python install {version}` or `pyenv install {version}`)"
        )
    return f"{compile_modules(python, folder, mounted_at, checked)} modules compiled by {python}"


def compile_modules(python: Path, folder: Path, mounted_at: str, checked: bool = False) -> int:
    """Add hash-based `.pyc` files to `folder`; gives the number of modules. Raises BytecodeError.

    `checked` has Python compare each with its source, for sources that may change after this.
    The hash seed is fixed, for the order of constants in sets depends on it.
    """
    command = [str(python), "-s", "-S", "-B", str(SCRIPT), str(folder), mounted_at]
    command.append("checked" if checked else "unchecked")
    run = subprocess.run(command, capture_output=True, text=True, env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"})
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["no message"])[-1]
        raise BytecodeError(f"{python} cannot compile the modules: {last}")
    return int(run.stdout)


def _candidates(version: str) -> Iterator[Path]:
    yield Path(sys.executable)
    if on_path := shutil.which(f"python{version}"):
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local/share/uv/python")
    for installed in (*pyenv.glob(f"versions/{version}.*"), *uv.glob(f"cpython-{version}.*")):
        yield installed / "bin" / f"python{version}"


def _version_of(python: Path) -> str | None:
    """What the interpreter says of itself: a shim of pyenv's may stand for one that is not chosen."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        run = subprocess.run([str(python), "-I", "-S", "-c", ask], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() if run.returncode == 0 else None
