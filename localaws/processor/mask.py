"""What a process is shown of this machine's processor: AVX2 as Lambda promises, AVX-512, or all there is.

Lambda documents AVX2 for x86_64 (AWS Lambda developer guide, "Selecting and configuring an instruction set
architecture"). A processor that has more is masked (mask.c), or the figures are said not to be Lambda's.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from localaws.errors import CompilerMissing, MaskMissing, ProcessorMissing
from localaws.processor import mask_build
from localaws.processor.mask_features import AMX, AVX2, AVX512, AVX512_VNNI, AVX_VNNI, Machine, in_words, read

LEVELS = ("avx2", "avx512", "native")
"""`avx512` has VNNI and no AMX; `native` is the whole processor."""
HIDDEN = {"avx2": frozenset({AVX512, AVX512_VNNI, AVX_VNNI, AMX}), "avx512": frozenset({AMX}), "native": frozenset()}
"""Of the features that headings name, those that a level hides; mask.c hides all that belong to them."""
SOURCE = Path(__file__).with_name("mask.c")
VARIABLE, PRELOAD = "SLIMCEPTION_PROCESSOR", "LD_PRELOAD"
_C_LIBRARY = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512F_Usable,-AVX512VL_Usable"
}
"""The C library chooses its memcpy before a preloaded library can hide anything (glibc manual, "Hardware Capability
Tunables"; the last two names are those before glibc 2.33)."""
_PROBE = """
import ctypes, json, sys
mask = ctypes.CDLL(None)
print(json.dumps([mask.mask_status(), [name for name in sys.argv[1:] if mask.mask_shows(name.encode()) == 1]]))
"""
_PROBE_LIMIT_S = 60
_NO_FAULTING = "the kernel cannot make CPUID fault on this processor (no cpuid_fault in /proc/cpuinfo)"


class Shown(NamedTuple):
    """What a process is shown, and how."""

    level: str
    """One of `LEVELS`, as requested."""
    settings: Mapping[str, str]
    """Variables that the mask reads: empty if nothing is masked."""
    library: Path | None
    """The mask, to be preloaded; None if nothing is masked."""
    words: str
    """For headings and JSON: the features that are shown, and the machine."""
    caveat: str | None
    """Why figures measured so are not Lambda's, or None."""

    @property
    def heading(self) -> str:
        """For tables, plots and JSON: never without the caveat."""
        return self.words if self.caveat is None else f"{self.words}; {self.caveat}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process outside a sandbox needs in its environment."""
        return {} if self.library is None else {**self.settings, PRELOAD: str(self.library)}

    def process_environment(self) -> dict[str, str]:
        """The environment of this process with the mask: for a child that runs on this machine, not in a sandbox."""
        return {**os.environ, **self.environment}


Masker = Callable[[str], tuple[Mapping[str, str], Path]]


def masked(level: str) -> tuple[Mapping[str, str], Path]:
    """The mask's variables and its library, tried with a small child; raises MaskMissing."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise MaskMissing(f"only Linux on x86_64 can mask CPUID, and this is {sys.platform} on {platform.machine()}")
    try:
        library = mask_build.library(SOURCE)
    except CompilerMissing as error:
        raise MaskMissing(str(error)) from error
    settings = {VARIABLE: level, **(_C_LIBRARY if level == "avx2" else {})}
    probe({**settings, PRELOAD: str(library)}, HIDDEN[level])
    return settings, library


def probe(environment: Mapping[str, str], hidden: frozenset[str]) -> None:
    """Start a child with the mask and look at its CPUID; raises MaskMissing if it still shows what is hidden."""
    command = [sys.executable, "-I", "-S", "-c", _PROBE, *sorted(hidden)]
    try:
        ended = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, check=True, timeout=_PROBE_LIMIT_S
        )
        status, left = json.loads(ended.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise MaskMissing(f"a process does not run under the mask ({error})") from error
    if status != 0:
        raise MaskMissing(_NO_FAULTING if status > 0 else "the mask was not loaded")
    if left:
        raise MaskMissing(f"the mask leaves {', '.join(left)} visible")


def show(level: str, machine: Machine | None = None, masker: Masker = masked) -> Shown:
    """What `--processor level` shows on this machine; raises ProcessorMissing if that cannot be shown.

    `avx2` on a processor that cannot be masked shows the whole processor, with the caveat.
    """
    machine = machine or read()
    if level == "avx512" and AVX512_VNNI not in machine.features:
        raise ProcessorMissing(
            f"--processor avx512: {machine.name} has {in_words(machine.features)} and no AVX-512 VNNI: "
            "choose avx2 or native, or measure on another machine"
        )
    left = machine.features - HIDDEN[level]
    if left == machine.features:
        return Shown(level, {}, None, f"{in_words(left)} ({machine.name}, all it has)", _more_or_less(left))
    try:
        settings, library = masker(level)
    except MaskMissing as error:
        if level != "avx2":
            raise ProcessorMissing(
                f"--processor {level}: {machine.name} has {in_words(machine.features)}, and CPUID cannot be masked, "
                f"for {error}: choose native, or measure on another machine"
            ) from error
        return Shown(level, {}, None, f"{in_words(machine.features)} ({machine.name}, unmasked)", _unmasked(error))
    words = f"{in_words(left)} shown of {in_words(machine.features)} ({machine.name})"
    return Shown(level, settings, library, words, _more_or_less(left))


def in_place(shown: Shown) -> None:
    """Run this process again from its start under the mask, unless it needs none or has it."""
    if shown.environment and os.environ.get(VARIABLE) != shown.level:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], shown.process_environment())


def _more_or_less(features: frozenset[str]) -> str | None:
    if AVX2 not in features:
        return "not Lambda's figures: Lambda's x86_64 has AVX2"
    return "more than Lambda promises, which is AVX2" if features & HIDDEN["avx2"] else None


def _unmasked(error: MaskMissing) -> str:
    remedy = "measure on one that can be masked, or that has nothing beyond AVX2"
    return f"not Lambda's figures: CPUID is not masked to AVX2, for {error}: {remedy}"
