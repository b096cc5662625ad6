"""Environments of the engines that are compared, one for each, locked and with hashes.

They are not this project's needs, and NumPy's versions exclude each other: so none shares the development environment.
"""

import hashlib
import subprocess
from pathlib import Path

from layers.cache import cached
from layers.pythons import Interpreter, find_python, own

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
LOCKED = {
    "onnxruntime": REQUIREMENTS / "peers" / "onnxruntime.txt",
    "openvino": REQUIREMENTS / "peers" / "openvino.txt",
    "tflite-runtime": REQUIREMENTS / "tflite-runtime.txt",
}
"""What each environment has: what the engine runs with, and what makes its model."""
NEEDS = {"tflite-runtime": "3.11"}
"""Its last release has no wheel for a later Python; the others take the Python that runs this program."""
INSTALL = ("install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--no-deps")


class PeerMissing(Exception):
    """An engine's environment cannot be made here. The message is one line."""


def python_of(name: str) -> Path:
    """The Python of an engine's environment, made at the first call and kept in the user's cache.

    `name` is one of `LOCKED`. Raises PeerMissing with the installer's last line, for example without an index.
    """
    base = _base(name)
    locked = LOCKED[name]
    digest = hashlib.sha256(locked.read_bytes()).hexdigest()[:12]
    made = cached("peers", f"{name}-{base.runtime}-{digest}", lambda folder: _make(name, base, locked, folder))
    return made / "bin" / "python"


def _base(name: str) -> Interpreter:
    version = NEEDS.get(name)
    found = own() if version is None else find_python(version)
    if found is None:
        raise PeerMissing(f"{name} needs Python {version}, which is not on this machine: install it, or leave it out")
    return found


def _make(name: str, base: Interpreter, locked: Path, folder: Path) -> None:
    commands = (
        [str(base.path), "-m", "venv", str(folder)],
        [str(folder / "bin" / "python"), "-m", "pip", *INSTALL, "--require-hashes", "-r", str(locked)],
    )
    for command in commands:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            reason = (ended.stderr.strip().splitlines() or ["no output"])[-1]
            raise PeerMissing(
                f"the environment of {name} cannot be made from {locked.relative_to(REQUIREMENTS.parent)} ({reason}): "
                "connect to a package index, or leave it out"
            )
