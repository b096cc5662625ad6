"""Compiles what is shipped, with the target's own Python."""

import subprocess
from pathlib import Path

from layers.errors import BytecodeError
from layers.pythons import find_python

SCRIPT = Path(__file__).with_name("compile_script.py")


def add_bytecode(version: str, folder: Path, mounted_at: str, checked: bool = False) -> str:
    """Compile the modules in `folder` if the Python for it is here; gives a sentence on what was done."""
    found = find_python(version)
    if found is None:
        return (
            f"no bytecode: there is no Python {version} here to make it, so every cold start compiles "
            f"(install one: `uv python install {version}` or `pyenv install {version}`)"
        )
    return f"{compile_modules(found.path, folder, mounted_at, checked)} modules compiled by {found.path}"


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
