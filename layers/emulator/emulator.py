"""`find_emulator` and what it gives: command lines that run arm64 programs on this machine.

`-L ROOT` has QEMU read an absolute path below ROOT if it exists there, and on this machine if not. So ROOT/proc/cpuinfo
stands for the emulated processor, and a /sys that is hidden from QEMU is hidden from the program.
Source: QEMU user documentation, "User Mode Emulation".
"""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layers.emulator.root import PYTHON, fetch_root
from layers.errors import EmulatorError

QEMU = ("qemu-aarch64", "qemu-aarch64-static")
"""Debian's qemu-user and qemu-user-static; the latter takes no plugins."""
PROCESSOR = "neoverse-n1"
"""QEMU's name of the processor of Graviton2, on which Lambda's arm64 runs. Source: AWS Lambda developer guide,
"Selecting and configuring an instruction set architecture"."""


@dataclass(frozen=True)
class Emulator:
    """QEMU, and the folder that holds an arm64 Python 3.13 and its libraries."""

    qemu: Path
    root: Path

    @property
    def python(self) -> Path:
        """The arm64 Python, an `argv[0]` for `command`."""
        return self.root / "usr" / "bin" / f"python{PYTHON}"

    @property
    def takes_plugins(self) -> bool:
        """Whether this QEMU loads TCG plugins, which count instructions."""
        run = subprocess.run([self.qemu, "--help"], capture_output=True, text=True, check=False)
        return "-plugin" in run.stdout

    def command(self, argv: Sequence[str], preload: str | None = None, plugin: Path | None = None) -> list[str]:
        """The command line that runs the arm64 program `argv`.

        The program gets the environment of the process that runs the command. `preload` is its LD_PRELOAD: in the
        environment itself that variable would reach this machine's linker, which loads QEMU. `plugin` is a shared
        object of this machine, with QEMU's arguments for it behind a comma.
        """
        plugins = ["-plugin", str(plugin)] if plugin else []
        preloads = ["-E", f"LD_PRELOAD={preload}"] if preload else []
        return [str(self.qemu), "-L", str(self.root), "-cpu", PROCESSOR, *plugins, *preloads, *argv]


def find_emulator() -> Emulator | str:
    """The emulator, whose Python is fetched at the first call on this machine; or what is missing, and what to do."""
    try:
        return Emulator(qemu := _find_qemu(), fetch_root(qemu))
    except EmulatorError as error:
        return str(error)


def _find_qemu() -> Path:
    found = next(filter(None, map(shutil.which, QEMU)), None)
    if found is None:
        raise EmulatorError(
            f"there is no {QEMU[0]} here to run arm64 programs: install it, `apt-get install qemu-user`"
        )
    return Path(found)
