"""Lambda's own packages, beside function and layers: the runtime client and boto3, installed once per Python."""

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

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
    folder = _cache_folder() / _key(interpreter, requirements)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
            target = Path(aside) / "packages"
            _run_installer(interpreter, requirements, target)
            if not folder.is_dir():
                target.rename(folder)
    return folder


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "slimception" / "localaws"


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
    """Our own pip can install for another Python; for an environment that uv made without pip, uv does.

    Neither asks a Python for another processor anything: both are given its platform.
    """
    emulated = interpreter.machine != platform.machine()
    wanted = target(interpreter.version, interpreter.machine) if emulated else None
    if importlib.util.find_spec("pip"):
        install = ["install", "--quiet", "--disable-pip-version-check", "--no-input"]
        if wanted is not None:
            return [sys.executable, "-m", "pip", *install, "--no-compile", "--only-binary=:all:", *wanted.pip_options]
        return [sys.executable, "-m", "pip", "--python", str(interpreter.path), *install]
    if uv := shutil.which("uv"):
        install = [uv, "pip", "install", "--quiet"]
        if wanted is not None:
            glibc = "_".join(map(str, wanted.system.newest["GLIBC"]))
            platform_name = f"{interpreter.machine}-manylinux_{glibc}"
            foreign = ["--python-platform", platform_name, "--python-version", interpreter.version]
            return [*install, "--only-binary=:all:", *foreign]
        return [*install, "--python", str(interpreter.path)]
    raise PackagesMissing("Lambda's runtime client cannot be installed without pip or uv: install one of them")
