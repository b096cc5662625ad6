"""The instructions of one inference on arm64: the difference of two emulated runs, one with twice the inferences."""

import re
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from layers.emulator.emulator import Emulator, find_emulator
from layers.errors import EmulatorError
from localaws.processor import mask_build

SOURCE = Path(__file__).with_name("count.c")
SCRIPT = Path(__file__).with_name("infer.py")
PROJECT = Path(__file__).parents[2]
WITHOUT_SYS = ("bwrap", "--dev-bind", "/", "/", "--tmpfs", "/sys", "--")
"""Runs a command as Lambda's arm64 does: nothing is mounted at /sys."""
_AT_ONCE = 2
_LIMIT_S = 1800


class Counts(NamedTuple):
    """Executed instructions. A class may be part of another: `dot`, `multiply_add` and `widening` are of `simd`."""

    all: int
    simd: int
    """Data processing on vectors and floating-point numbers, without loads and stores."""
    dot: int
    """SDOT and UDOT: four 8-bit products for each of four sums."""
    multiply_add: int
    """FMLA, float."""
    widening: int
    """SMLAL and UMLAL: what 8 bits need without the dot product."""
    load_store: int

    def without(self, other: "Counts") -> "Counts":
        """Those that are not in the other run."""
        return Counts(*(mine - its for mine, its in zip(self, other, strict=True)))


class Counter:
    """Counts under one emulator, with the packages of one engine."""

    def __init__(
        self,
        emulator: Emulator,
        packages: Path,
        has_sys: bool = True,
        preloaded: Path | None = None,
        engine: str = "litert",
    ) -> None:
        """`preloaded` is a library that the program loads before all others; `engine` a key of `peers.engines`.

        Raises EmulatorError if this QEMU takes no plugins, CompilerMissing if the plugin cannot be built.
        """
        if not emulator.takes_plugins:
            raise EmulatorError(f"{emulator.qemu} takes no plugins: install the package qemu-user")
        self._emulator, self._packages, self._prefix = emulator, packages, () if has_sys else WITHOUT_SYS
        self._engine = engine
        self._preloaded = {} if preloaded is None else {"LD_PRELOAD": str(preloaded)}
        self._plugin = mask_build.library(SOURCE, [f"-DPLUGIN_API={plugin_api(emulator.qemu)}"])

    def one_inference(self, model: Path, inferences: int) -> Counts:
        """Of a run with `inferences` and one with twice as many, so that start and loading cancel out."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            few, many = pool.map(lambda number: self.run(model, number), (inferences, 2 * inferences))
        return Counts(*(difference // inferences for difference in many.without(few)))

    def run(self, model: Path, inferences: int, blocks: Path | None = None) -> Counts:
        """Of a whole process with so many inferences. `blocks` is a file to write, see count.c and infer.py."""
        program = [str(self._emulator.python), "-S", "-B", str(SCRIPT), self._engine, str(model), str(inferences)]
        command = [*self._prefix, *self._emulator.command(program, str(self._plugin))]
        wanted = {"PYTHONPATH": f"{self._packages}:{PROJECT}", "PATH": "/usr/bin:/bin", **self._preloaded}
        environment = self._emulator.environment(wanted if blocks is None else {**wanted, "BLOCKS": str(blocks)})
        try:
            ended = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=True
            )
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["no message"])[-1]
            raise EmulatorError(f"{model.name} does not run under {self._emulator.qemu.name}: {last}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmulatorError(f"{model.name} does not run under {self._emulator.qemu.name}: {error}") from error
        return read(ended.stderr)


def read(stderr: str) -> Counts:
    """The plugin's line among those of the program; raises EmulatorError if it is missing."""
    line = re.search(r"^INSTRUCTIONS (.*)$", stderr, re.MULTILINE)
    if line is None:
        raise EmulatorError("the emulator loaded no plugin: install a qemu-user that is built with them")
    found: Mapping[str, str] = dict(pair.split("=") for pair in line[1].split())
    return Counts(**{name: int(value) for name, value in found.items()})


def plugin_api(qemu: Path) -> int:
    """The plugin interface that this QEMU takes; see count.c."""
    said = subprocess.run([qemu, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+)\.(\d+)", said)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    return 1 + (version >= (9, 0)) + (version >= (9, 1))


def emulator() -> Emulator:
    """The emulator of this machine; raises EmulatorError with what to install."""
    found = find_emulator()
    if isinstance(found, str):
        raise EmulatorError(found)
    return found
