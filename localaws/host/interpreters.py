"""The Python that runs a function: the version that its runtime names, or one that the user names."""

import os
from pathlib import Path

from layers.pythons import LAMBDA_PYTHONS, Interpreter, ask, find_python, own
from layers.targets import DEFAULT_PYTHON
from localaws.errors import PythonMissing

PREFERRED = (DEFAULT_PYTHON, *(version for version in reversed(LAMBDA_PYTHONS) if version != DEFAULT_PYTHON))
"""Of Lambda's Pythons, the first that is installed here runs the functions."""


def find(wanted: str) -> Interpreter:
    """The interpreter for `python3.13`, `3.13` or a path to one; raises PythonMissing."""
    if os.sep in wanted:
        chosen = ask(Path(wanted))
        if chosen is None:
            raise PythonMissing(f"{wanted} is not a Python that starts: give a version, or the path of another Python")
        return chosen
    version = wanted.removeprefix("python")
    found = find_python(version)
    if found is None:
        raise PythonMissing(
            f"no Python {version} is installed here, and the function's runtime is python{version}: "
            f"install one (`uv python install {version}` or `pyenv install {version}`) or choose another with --python"
        )
    return found


def preferred() -> Interpreter:
    """The first of `PREFERRED` that is installed, else the one that runs this program."""
    return next((found for version in PREFERRED if (found := find_python(version))), own())
