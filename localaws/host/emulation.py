"""Functions for arm64 on a machine of another processor: the emulated Python that runs them, and their time limits."""

import platform

from layers.emulator.emulator import PROCESSOR, find_emulator
from layers.emulator.root import PYTHON
from layers.pythons import Interpreter
from layers.targets import PROCESSORS
from localaws.errors import EmulatorMissing, PythonMissing

EMULATED = "arm64"
"""Lambda's name of the only processor that is emulated; functions of another run as this machine does."""
ARCHITECTURES = tuple(
    name for name, processor in PROCESSORS.items() if name == EMULATED or processor.wheel == platform.machine()
)
"""Those whose functions run here, this machine's first."""
SLOWDOWN = 20
"""What every time limit of an emulated function is multiplied by: one start takes some 12 s, and Lambda allows 10 s."""
HEADING = f"{PROCESSOR}, emulated by QEMU: no time is Lambda's, and every time limit is {SLOWDOWN} times Lambda's"


def is_emulated(architecture: str) -> bool:
    """Whether functions for this processor, under Lambda's name, run emulated here."""
    return architecture == EMULATED and platform.machine() != PROCESSORS[EMULATED].wheel


def time_factor(architecture: str) -> int:
    """What Lambda's time limits are multiplied by for functions of this processor."""
    return SLOWDOWN if is_emulated(architecture) else 1


def interpreter(runtime: str) -> Interpreter:
    """The emulated Python for `python3.13`; raises EmulatorMissing, and PythonMissing for another version."""
    if isinstance(emulator := find_emulator(), str):
        raise EmulatorMissing(f"functions for {EMULATED} do not run here, for {emulator}; or deploy for x86_64")
    found: Interpreter = emulator.interpreter
    if runtime != found.runtime:
        raise PythonMissing(
            f"the emulator's Python is {PYTHON}, and the runtime of the {EMULATED} function is {runtime}: "
            f"deploy it with --python {PYTHON}"
        )
    return found
