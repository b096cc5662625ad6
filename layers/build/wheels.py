"""Fetches the wheels that `requirements.txt` pins, for any target, with pip."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from layers.blas.replacement import replace_openblas
from layers.build.slimming import reason_to_leave_out
from layers.errors import WheelError
from layers.targets import Target

REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"


def download(target: Target, requirements: Path, folder: Path) -> list[Path]:
    """Fetch the wheels for `target` into the empty `folder`, each verified by its hash; raises WheelError."""
    pip = [sys.executable, "-m", "pip", "download", "--progress-bar=off", "--disable-pip-version-check", "--no-deps"]
    options = ["--only-binary=:all:", "--require-hashes", "-r", str(requirements), "-d", str(folder)]
    run = subprocess.run(
        [*pip, *options, *target.pip_options], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
    )
    if run.returncode:
        raise WheelError(_explain(run.stderr, target))
    return sorted(folder.glob("*.whl"))


def unpack(wheels: list[Path], folder: Path, target: Target) -> list[Path]:
    """Write below `folder` what the wheels hold and `slimming` keeps, and what stands in for OpenBLAS.

    Returns the files that are of no wheel. Raises CompilerError.
    """
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not name.endswith("/") and reason_to_leave_out(name) is None:
                    archive.extract(name, folder)
    return replace_openblas(target, folder)


def _explain(stderr: str, target: Target) -> str:
    """Pip's error in one line, with what to do."""
    errors = [line.removeprefix("ERROR: ").strip() for line in stderr.splitlines() if line.startswith("ERROR: ")]
    reason = errors[-1] if errors else (stderr.strip().splitlines() or ["pip says nothing"])[-1]
    if "No module named pip" in stderr:
        return f"{sys.executable} has no pip, which fetches the wheels: run `{sys.executable} -m ensurepip`"
    if "DO NOT MATCH THE HASHES" in stderr:
        return "a wheel does not match its hash in layers/requirements.txt: try again, or correct the pin"
    if "connection broken by" in stderr:
        return "the package index cannot be reached, and pip's cache does not hold the wheels: try again online"
    if "No matching distribution" in stderr:
        glibc = ".".join(map(str, target.system.newest["GLIBC"]))
        wanted = f"Python {target.python} on {target.arch} with glibc up to {glibc}"
        return f"{reason}: the release has no wheel for {wanted}; pin another in layers/requirements.txt"
    return reason
