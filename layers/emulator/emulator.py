"""`find_emulator` and what it gives: command lines and environments that run arm64 programs on this machine.

`-L ROOT` has QEMU read an absolute path below ROOT if it exists there, and on this machine if not. So ROOT/proc/cpuinfo
stands for the emulated processor, and a /sys that is hidden from QEMU is hidden from the program.
Source: QEMU user documentation, "User Mode Emulation".
"""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from layers.emulator.root import PYTHON, fetch_root
from layers.errors import EmulatorError
from layers.pythons import Interpreter

QEMU = ("qemu-aarch64", "qemu-aarch64-static")
"""Debian's qemu-user and qemu-user-static; the latter takes no plugins."""
PROCESSOR = "neoverse-n1"
"""QEMU's name of the processor of Graviton2, on which Lambda's arm64 runs. Source: AWS Lambda developer guide,
"Selecting and configuring an instruction set architecture"."""
_IN_SANDBOX, _QEMU_IN_SANDBOX = "/run/arm64", "/run/qemu"
_PRELOAD = "LD_PRELOAD"


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
    def interpreter(self) -> "EmulatedInterpreter":
        """The same Python as one that runs here, in a sandbox too."""
        return EmulatedInterpreter(self.python, PYTHON, self)

    @property
    def takes_plugins(self) -> bool:
        """Whether this QEMU loads TCG plugins, which count instructions."""
        run = subprocess.run([self.qemu, "--help"], capture_output=True, text=True, check=False)
        return "-plugin" in run.stdout

    def command(self, argv: Sequence[str], plugin: str | None = None) -> list[str]:
        """The command line that runs the arm64 program `argv`; its process needs `environment`.

        `plugin` is a shared object of this machine, with QEMU's arguments for it behind a comma.
        """
        plugins = ["-plugin", plugin] if plugin else []
        return [str(self.qemu), "-L", str(self.root), "-cpu", PROCESSOR, *plugins, *argv]

    @staticmethod
    def environment(environment: Mapping[str, str]) -> dict[str, str]:
        """What QEMU's process needs so that the program gets `environment`.

        LD_PRELOAD itself would also reach this machine's linker, which loads QEMU. The program does not see the
        variables that QEMU reads instead.
        """
        others = {name: value for name, value in environment.items() if name != _PRELOAD}
        if _PRELOAD not in environment:
            return others
        preload = f"{_PRELOAD}={environment[_PRELOAD]}"
        return {**others, "QEMU_SET_ENV": preload, "QEMU_UNSET_ENV": "QEMU_SET_ENV,QEMU_UNSET_ENV"}


@dataclass(frozen=True)
class EmulatedInterpreter(Interpreter):
    """The arm64 Python as an interpreter of this machine."""

    emulator: Emulator

    @property
    def machine(self) -> str:
        """The emulated one."""
        return "aarch64"

    @property
    def command(self) -> tuple[str, ...]:
        """The beginning of a command line that runs it."""
        return tuple(self.emulator.command([str(self.path)]))

    @property
    def read_only(self) -> Mapping[str, Path]:
        """What a sandbox must show: path inside to path outside."""
        return {_IN_SANDBOX: self.emulator.root, _QEMU_IN_SANDBOX: self.emulator.qemu}

    @property
    def sandboxed_command(self) -> tuple[str, ...]:
        """The same as `command`, in a sandbox that shows `read_only`."""
        inside = Emulator(Path(_QEMU_IN_SANDBOX), Path(_IN_SANDBOX))
        return tuple(inside.command([str(inside.python)]))

    def environment(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """The environment of QEMU's process, with which the interpreter gets `wanted`."""
        return self.emulator.environment(wanted)


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
