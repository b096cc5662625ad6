"""What a layer is built for: Lambda's Pythons, their base systems, and the two processors."""

import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from layers.errors import TargetError
from layers.pythons import LAMBDA_PYTHONS

Version = tuple[int, ...]


@dataclass(frozen=True)
class System:
    """A base system: the newest symbol version of each family that its C and C++ libraries define."""

    name: str
    newest: Mapping[str, Version] = field(hash=False)
    at_first: Mapping[str, Version] = field(default_factory=dict, hash=False)
    """The versions of the system's first releases, if later ones have more."""


@dataclass(frozen=True)
class Processor:
    """One processor under its three names: Lambda's (the key), the wheels', ELF's."""

    wheel: str
    elf: str


AMAZON_LINUX_2 = System("Amazon Linux 2", {"GLIBC": (2, 26), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11)})
"""glibc 2.26 and GCC 7's libstdc++. Sources: AWS Lambda runtimes; libstdc++ manual, "ABI Policy and Guidelines"."""
AMAZON_LINUX_2023 = System(
    "Amazon Linux 2023",
    {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 33), "CXXABI": (1, 3, 15)},
    at_first={"GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13)},
)
"""glibc 2.34; libstdc++ of GCC 11 at first, of GCC 14 since release 2023.7 of April 2025, though the compiler stays
at 11. Sources as above, and amazonlinux/container-images issue 132; duckdb/duckdb-node-neo issue 302."""

SYSTEMS = {"3.11": AMAZON_LINUX_2, **dict.fromkeys(LAMBDA_PYTHONS, AMAZON_LINUX_2023)}
PROCESSORS = {"x86_64": Processor("x86_64", "EM_X86_64"), "arm64": Processor("aarch64", "EM_AARCH64")}
DEFAULT_PYTHON, DEFAULT_ARCH = "3.13", "arm64"

DIRECT_UPLOAD_BYTES = 50 * 1024 * 1024
"""A larger zip has to go through S3. Source: AWS Lambda quotas."""
UNZIPPED_BYTES = 250 * 1024 * 1024
"""Function and layers together, unzipped. Source: AWS Lambda quotas."""
MAX_LAYERS = 5
"""Layers of one function. Source: AWS Lambda quotas."""

_FILE_NAME = re.compile(r"runtime-(local-)?py3(\d+)-(x86_64|arm64)\.zip")


@dataclass(frozen=True)
class Target:
    """A Python (such as "3.13"), a processor under Lambda's name, and the system they run on."""

    python: str
    arch: str
    system: System
    local: bool = False
    """For this machine's own Python, not for Lambda."""

    @property
    def digits(self) -> str:
        """The Python as file names have it: "313"."""
        return self.python.replace(".", "")

    @property
    def name(self) -> str:
        """The target as layer names have it: "py313-x86_64"."""
        return f"{'local-' if self.local else ''}py{self.digits}-{self.arch}"

    @property
    def processor(self) -> Processor:
        """The processor's other names."""
        return PROCESSORS[self.arch]

    @property
    def is_this_machine(self) -> bool:
        """Whether its machine code runs here."""
        return sys.platform == "linux" and platform.machine() == self.processor.wheel

    @property
    def platform_tags(self) -> list[str]:
        """Tags of the wheels whose glibc is at most the system's (PEP 600), newest first."""
        arch, minor = self.processor.wheel, self.system.newest["GLIBC"][1]
        return [*(f"manylinux_2_{n}_{arch}" for n in range(minor, 16, -1)), f"manylinux2014_{arch}"]

    @property
    def pip_options(self) -> list[str]:
        """With these pip takes the target's wheels, on any machine; none for this machine's own Python."""
        if self.local:
            return []  # pip's own platform is the machine's
        tags = [option for tag in self.platform_tags for option in ("--platform", tag)]
        return [*tags, "--python-version", self.python, "--implementation", "cp", "--abi", f"cp{self.digits}"]


def target(python: str = DEFAULT_PYTHON, arch: str = DEFAULT_ARCH) -> Target:
    """A target to check against; raises TargetError if Lambda does not have it."""
    arch = "arm64" if arch == "aarch64" else arch
    if python not in SYSTEMS:
        raise TargetError(f"no layer is made for Python {python}: choose one of {', '.join(SYSTEMS)}")
    if arch not in PROCESSORS:
        raise TargetError(f"no layer is made for the processor {arch}: choose one of {', '.join(PROCESSORS)}")
    return Target(python, arch, SYSTEMS[python])


def target_to_build(python: str, arch: str) -> Target:
    """A target to build for; raises TargetError for Python 3.11 too, with the reason."""
    wanted = target(python, arch)
    if wanted.system is AMAZON_LINUX_2:
        raise TargetError(
            f"Python {python} runs on {wanted.system.name} (glibc 2.26), where Pillow 13, numpy after 2.2 and "
            f"LiteRT 2 do not load: build for one of {', '.join(LAMBDA_PYTHONS)} "
            "(--local builds for this machine's Python)"
        )
    return wanted


def local_target() -> Target:
    """The running Python on this machine, for trying a layer out; raises TargetError off Linux."""
    arch = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine())
    if sys.platform != "linux" or arch is None:
        raise TargetError(f"--local needs Linux on x86_64 or arm64; this is {sys.platform} on {platform.machine()}")
    glibc = tuple(int(part) for part in platform.libc_ver()[1].split(".")[:2]) or (2, 17)
    newest = {**AMAZON_LINUX_2023.newest, "GLIBC": glibc}
    return Target(f"{sys.version_info[0]}.{sys.version_info[1]}", arch, System("this machine", newest), local=True)


def target_of(file_name: str) -> Target | None:
    """The target that a runtime layer's file name states, or None."""
    match = _FILE_NAME.fullmatch(file_name)
    if not match:
        return None
    return local_target() if match[1] else target(f"3.{match[2]}", match[3])
