"""Lambda's own packages, beside function and layers: the runtime client and boto3, installed once per Python."""

import hashlib
import importlib.util
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from layers.cache import cached
from layers.pythons import Interpreter
from layers.targets import target
from localaws.errors import PackagesMissing

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
RUNTIME_PACKAGES = REQUIREMENTS / "functions.txt"
"""On Lambda they are in /var/lang and /var/runtime; AWS chooses the version of boto3 there."""


def install(interpreter: Interpreter, requirements: Path = RUNTIME_PACKAGES) -> Path:
    """The folder that holds the packages of a locked file for this Python, installed now unless they are there.

    Raises PackagesMissing with the installer's last line. The folder appears whole or not at all.
    """
    key = _key(interpreter, requirements)
    return cached("localaws", key, lambda folder: _run_installer(interpreter, requirements, folder))


def _key(interpreter: Interpreter, requirements: Path) -> str:
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    return f"{interpreter.runtime}-{platform.system().lower()}-{interpreter.machine}-{digest}"


def _run_installer(interpreter: Interpreter, requirements: Path, target: Path) -> None:
    locked = ["--no-deps", "--require-hashes", "-r", str(requirements)]
    command = [*_installer(interpreter), "--target", str(target), *locked]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        reason = (ended.stderr.strip().splitlines() or ["no output"])[-1]
        raise PackagesMissing(f"cannot install {requirements.name} for Python {interpreter.version}: {reason}")


def _installer(interpreter: Interpreter) -> list[str]:
    """Our own pip can install for another Python; for an environment that uv made without pip, uv does."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", *_of_pip(interpreter)]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", *_of_uv(interpreter)]
    raise PackagesMissing("Lambda's runtime client cannot be installed without pip or uv: install one of them")


def _of_pip(interpreter: Interpreter) -> list[str]:
    """Pip's command and options. It cannot start a Python for another processor, and takes its platform instead."""
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-input"]
    if interpreter.machine == platform.machine():
        return ["--python", str(interpreter.path), *install]
    wanted = target(interpreter.version, interpreter.machine)
    return [*install, "--no-compile", "--only-binary=:all:", *wanted.pip_options]


def _of_uv(interpreter: Interpreter) -> list[str]:
    """The same as uv has it."""
    if interpreter.machine == platform.machine():
        return ["--python", str(interpreter.path)]
    wanted = target(interpreter.version, interpreter.machine)
    glibc = "_".join(map(str, wanted.system.newest["GLIBC"]))
    of_uv = ["--python-platform", f"{interpreter.machine}-manylinux_{glibc}", "--python-version", wanted.python]
    return ["--only-binary=:all:", *of_uv]
