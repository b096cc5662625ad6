"""An arm64 Python and its libraries, out of packages of Debian that are unpacked and not installed.

apt fetches them for another processor and another release than this machine's, and verifies each by the archive's
signature. The folder is in the user's cache, once for this machine.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from layers.cache import cached
from layers.errors import EmulatorError

PYTHON = "3.13"
RELEASE = "trixie"
"""The release of Debian whose Python is `PYTHON`."""
PACKAGES = (
    *("python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib"),
    *("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libssl3t64", "libffi8", "libbz2-1.0"),
)
"""Python, what it depends on, and the C++ library that LiteRT needs."""
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Keys of Debian's archive, of the package debian-archive-keyring."""
FEATURES = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs"
"""Neoverse N1 in /proc/cpuinfo: with the dot product (asimddp), without i8mm.
Source: Linux kernel documentation, "ARM64 ELF hwcaps"; Arm Neoverse N1 Core technical reference manual."""
CPUINFO = f"""BogoMIPS\t: 243.75
Features\t: {FEATURES}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1
"""
_LIMIT_S = 600


def fetch_root(qemu: Path) -> Path:
    """The folder with usr/bin/python3.13, fetched now unless it is there, whole or not at all. Raises EmulatorError."""

    def make(root: Path) -> None:
        for package in _download(root.parent):
            _run(["dpkg-deb", "--extract", str(package), str(root)])
        _complete(root)
        _try_out(qemu, root)

    return cached("emulator", _key(), make)


def _key() -> str:
    """A change of what the folder holds needs another folder."""
    content = repr((RELEASE, PACKAGES, CPUINFO, os.cpu_count()))
    return f"arm64-python{PYTHON}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def _download(scratch: Path) -> list[Path]:
    """The packages as files, by an apt that has its own lists, cache and sources below `scratch`."""
    _require_apt()
    for name in ("state/lists/partial", "cache/archives/partial", "packages"):
        (scratch / name).mkdir(parents=True)
    sources = scratch / "sources.list"
    sources.write_text(f"deb [arch=arm64 signed-by={KEYRING}] {_archive()} {RELEASE} main\n")
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "root",  # the user _apt cannot enter the folder
        "Acquire::Languages": "none",
        "Dir::State": scratch / "state",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": scratch / "cache",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    _run([*apt, "-oAPT::Update::Error-Mode=any", "update"])
    _run([*apt, "download", *PACKAGES], scratch / "packages")
    return sorted((scratch / "packages").glob("*.deb"))


def _require_apt() -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise EmulatorError(
            "there is no apt-get here to fetch an arm64 Python with: use a Debian, or a container of it"
        )
    if not KEYRING.is_file():
        raise EmulatorError(
            f"{KEYRING} is not here to verify Debian's packages with: `apt-get install debian-archive-keyring`"
        )


def _archive() -> str:
    """The mirror that this machine's apt takes Debian from."""
    found = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]).split()
    mirrors = [uri for uri in found if uri.rstrip("/").endswith("/debian")]
    if not mirrors:
        raise EmulatorError("apt's sources name no mirror of Debian to fetch an arm64 Python from: add one")
    return mirrors[0]


def _complete(root: Path) -> None:
    """Add what installing would have made, and the processor that the programs see."""
    if not (root / "lib").exists():  # the program interpreter is /lib/ld-linux-aarch64.so.1
        (root / "lib").symlink_to("usr/lib")
    (root / "proc").mkdir()
    processors = (f"processor\t: {number}\n{CPUINFO}\n" for number in range(os.cpu_count() or 1))
    (root / "proc" / "cpuinfo").write_text("".join(processors))


def _try_out(qemu: Path, root: Path) -> None:
    python = root / "usr" / "bin" / f"python{PYTHON}"
    said = _run(
        [str(qemu), "-L", str(root), str(python), "-I", "-S", "-c", "import platform; print(platform.machine())"]
    )
    if said.strip() != "aarch64":
        raise EmulatorError(f"the fetched Python says {said.strip()!r}, not aarch64: install a newer qemu-user")


def _run(command: Sequence[str], folder: Path | None = None) -> str:
    """What a command printed; raises EmulatorError with its last line."""
    try:
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=_LIMIT_S,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired as error:
        raise EmulatorError(f"no arm64 Python was fetched: {command[0]} did not end within {_LIMIT_S} s") from error
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["no message"])[-1]
        raise EmulatorError(f"no arm64 Python was fetched: {Path(command[0]).name}: {last}; try again online")
    return run.stdout
