"""Small wheels, bundles and zips, and shared objects made by the C compiler that is at hand."""

import hashlib
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

MACHINE_OFFSET = 18
"""Of `e_machine` in an ELF header."""
AARCH64 = b"\xb7\x00"

SOURCES = {
    "tiny/__init__.py": "from tiny.answer import ANSWER\n",
    "tiny/answer.py": "ANSWER = 42\nKINDS = {'a', 'b', 'c'}\nSMALL = 7 in {1, 3, 5, 7}\n",
    "tiny/__init__.pyi": "ANSWER: int\n",
    "tiny/tests/test_tiny.py": "raise AssertionError\n",
}


def write_wheel(folder: Path, tag: str = "cp313-cp313-manylinux_2_28_x86_64", version: str = "1.0") -> Path:
    """A wheel of the package `tiny`, valid for pip."""
    path = folder / f"tiny-{version}-{tag}.whl"
    info = f"tiny-{version}.dist-info"
    files = SOURCES | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
        f"{info}/licenses/LICENSE": "free\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))
    return path


def write_requirements(folder: Path, wheel: Path, digest: str | None = None) -> Path:
    """A requirements file that pins `wheel` by its hash, or by `digest`."""
    digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
    path = folder / "requirements.txt"
    path.write_text(f"tiny=={wheel.name.split('-')[1]} --hash=sha256:{digest}\n")
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


class Compiler:
    """Compiles shared objects into a folder."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("gcc"):
            pytest.skip("no gcc to make a shared object with")
        self.folder = folder

    def __call__(self, name: str, source: str, *options: str) -> Path:
        """Compile `source` to `folder/name`; a skip when this gcc does not know an option."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["gcc", "-shared", "-fPIC", "-O0", "-x", "c", "-", "-o", str(path), *options]
        run = subprocess.run(command, input=source, capture_output=True, text=True)
        if run.returncode:
            pytest.skip(f"this gcc cannot compile it: {run.stderr.strip().splitlines()[-1]}")
        return path


def for_arm64(path: Path) -> Path:
    """Turn a shared object into one that states the other processor."""
    data = bytearray(path.read_bytes())
    data[MACHINE_OFFSET : MACHINE_OFFSET + 2] = AARCH64
    path.write_bytes(data)
    return path
