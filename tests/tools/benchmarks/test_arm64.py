"""The classes of AArch64 instructions, counted in a program of known instructions; and what is made of the counts."""

import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from numpy._core import _multiarray_umath
from rich.console import Console

from benchmarks.arm64 import counting, peer
from benchmarks.arm64.__main__ import table
from benchmarks.arm64.counting import SOURCE, Counts, plugin_api, read
from benchmarks.arm64.estimate import Estimate
from benchmarks.arm64.functions import by_function
from benchmarks.arm64.functions import table as functions_table
from layers.errors import EmulatorError
from localaws.errors import CompilerMissing
from localaws.processor import mask_build

COUNTS = Counts(all=600_000_000, simd=500_000_000, dot=1, multiply_add=2, widening=3, load_store=4)
PROGRAM = (
    (0x91000400, 1),  # add x0, x0, #1
    (0x4E849402, 2),  # sdot v2.4s, v0.16b, v4.16b
    (0x6F84E002, 3),  # udot v2.4s, v0.16b, v4.4b[0]
    (0x4E24CC02, 4),  # fmla v2.4s, v0.4s, v4.4s
    (0x4F841002, 5),  # fmla v2.4s, v0.4s, v4.s[0]
    (0x0E648002, 6),  # smlal v2.4s, v0.4h, v4.4h
    (0x2F442002, 7),  # umlal v2.4s, v0.4h, v4.h[0]
    (0x4EA48402, 8),  # add v2.4s, v0.4s, v4.4s
    (0x1E242802, 9),  # fadd s2, s0, s4
    (0xF94003E1, 10),  # ldr x1, [sp]
    (0xF90003E1, 11),  # str x1, [sp]
    (0x3DC003E2, 12),  # ldr q2, [sp]
    (0xD2800000, 1),  # mov x0, #0
    (0xD2800BA8, 1),  # mov x8, #93: exit
    (0xD4000001, 1),  # svc #0
)
"""Words, and how often each is executed."""


def executable(words):
    """An ELF file of one segment that begins with these instructions (elf(5))."""
    address, headers = 0x400000, 64 + 56
    code = b"".join(word.to_bytes(4, "little") for word in words)

    def number(value, size):
        return value.to_bytes(size, "little")

    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    fields = [(2, 2), (183, 2), (1, 4), (address + headers, 8), (64, 8), (0, 8), (0, 4), (64, 2), (56, 2), (1, 2)]
    header = ident + b"".join(number(*field) for field in fields) + bytes(6)
    size = headers + len(code)
    segment = (
        number(1, 4) + number(5, 4) + b"".join(number(field, 8) for field in (0, address, address, size, size, 0x1000))
    )
    return header + segment + code


@pytest.fixture
def qemu():
    found = shutil.which("qemu-aarch64")
    if found is None:
        pytest.skip("needs qemu-aarch64, of the package qemu-user")
    return Path(found)


def test_each_instruction_is_in_its_classes(qemu, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    try:
        plugin = mask_build.library(SOURCE, [f"-DPLUGIN_API={plugin_api(qemu)}"])
    except CompilerMissing as error:
        pytest.skip(str(error))
    program = tmp_path / "program"
    program.write_bytes(executable([word for word, times in PROGRAM for _ in range(times)]))
    program.chmod(0o755)
    command = [qemu, "-cpu", "neoverse-n1", "-plugin", plugin, program]
    blocks = tmp_path / "blocks"
    ended = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "BLOCKS": str(blocks)}
    )
    by_block = [[int(number) for number in line.split()[1:]] for line in blocks.read_text().splitlines()]
    assert sum(executed * counted[0] for executed, *counted in by_block) == read(ended.stderr).all
    assert read(ended.stderr) == Counts(
        all=81,
        simd=2 + 3 + 4 + 5 + 6 + 7 + 8 + 9,
        dot=2 + 3,
        multiply_add=4 + 5,
        widening=6 + 7,
        load_store=10 + 11 + 12,
    )


def test_a_run_with_twice_the_inferences_takes_the_start_off(monkeypatch, tmp_path):
    counter = object.__new__(counting.Counter)
    start, one = 1_000, 7
    monkeypatch.setattr(counter, "run", lambda model, number: Counts(*[start + number * one] * 6), raising=False)
    assert counter.one_inference(tmp_path, 3) == Counts(*[one] * 6)


class TestFunctions:
    """By function, from what the plugin wrote of each block and where the libraries were loaded."""

    BASE = 0x7F0000000000

    class Recorded:
        """A counter whose runs write these blocks: a loop in one function, a block in another, one of no library."""

        def __init__(self, library, first, second):
            self.library, self.first, self.second = library, first, second

        def run(self, model, inferences, blocks):
            base = TestFunctions.BASE
            lines = [
                f"{base + self.first:x} {10 * inferences} 79 64 64 0 0 12",
                f"{base + self.first + 4:x} {inferences} 50 0 0 0 0 9",
                f"{base + self.second:x} {3 + inferences} 5 0 0 0 0 1",
                f"10 {inferences} 7 0 0 0 0 0",
            ]
            blocks.write_text("\n".join(lines) + "\n")
            size = self.library.stat().st_size + 0x1000
            mapped = f"{base:x}-{base + size:x} r-xp 00000000 00:00 1 {self.library}\n"
            Path(f"{blocks}.maps").write_text(f"7ffe00000000-7ffe00001000 rw-p 00000000 00:00 0 [stack]\n{mapped}")

    @pytest.fixture
    def functions(self, tmp_path):
        library = Path(_multiarray_umath.__file__)
        (first, name), (second, other) = _two_functions(library)
        found = by_function(self.Recorded(library, first, second), tmp_path / "model", tmp_path)
        return found, name, other

    def test_a_run_with_one_inference_less_takes_the_start_off(self, functions):
        found, name, other = functions
        assert list(found) == [name, "other", other]
        assert found[name].counts == Counts(840, 640, 640, 0, 0, 129)
        assert found[other].counts.all == 5
        assert found["other"].counts.all == 7

    def test_its_hottest_block_is_its_loop(self, functions):
        found, name, _ = functions
        assert found[name].loop == Counts(79, 64, 64, 0, 0, 12)
        made = functions_table(found, "Heading")
        assert [*made.columns[-1].cells] == ["79 for 64 dots", "", ""]


def _two_functions(library):
    """Address and name of two functions of a library that lie apart and have one name each."""
    with library.open("rb") as opened:
        table_of = ELFFile(opened).get_section_by_name(".dynsym")
        named = sorted(
            (symbol.entry.st_value, symbol.name)
            for symbol in table_of.iter_symbols()
            if symbol.entry.st_info.type == "STT_FUNC" and symbol.entry.st_value and symbol.entry.st_size > 8
        )
    apart = [one for one in named if [other[0] for other in named].count(one[0]) == 1]
    return apart[0], apart[-1]


def test_without_the_plugins_line(tmp_path):
    with pytest.raises(EmulatorError, match="the emulator loaded no plugin"):
        read("Illegal instruction\n")


@pytest.mark.parametrize(("version", "api"), [("7.2.22", 1), ("8.2.0", 1), ("9.0.1", 2), ("9.1.0", 3), ("10.0.2", 3)])
def test_the_plugin_is_built_for_the_emulators_version(tmp_path, version, api):
    said = tmp_path / "qemu"
    said.write_text(f"#!/bin/sh\necho 'qemu-aarch64 version {version} (Debian)'\n")
    said.chmod(0o755)
    assert plugin_api(said) == api


class TestEstimate:
    def test_two_simd_instructions_a_cycle_are_the_floor(self):
        own = Estimate.of(COUNTS)
        assert own.simd_ms == pytest.approx(100)  # 500 million / 2 at 2.5 GHz
        assert own.all_ms == pytest.approx(80)  # 600 million / 3
        assert own.ms == own.simd_ms
        assert Estimate.of(COUNTS._replace(simd=0)).ms == own.all_ms

    def test_it_is_priced_as_arm64(self):
        assert Estimate.of(COUNTS).usd_per_million == pytest.approx(0.1 * 1769 / 1024 * 13.3334 + 0.2, rel=1e-3)

    def test_the_table_says_that_it_is_an_estimate(self):
        console = Console(width=150, file=io.StringIO())
        console.print(table({"float32": COUNTS._replace(simd=1_000_000_000), "int8": COUNTS}, "Heading"))
        text = console.file.getvalue()
        assert "Estimated from instructions, not measured on Graviton2" in text
        (row,) = [line.replace("│", " ").split() for line in text.splitlines() if re.search(r"│ int8 ", line)]
        assert row == ["int8", "0.600", "0.500", "0.000", "0.000", "0.000", "0.000", "100", "80", "2.50", "0.50"]

    def test_a_peer_stands_beside_the_modes(self):
        made = table({"int8": COUNTS, peer.NAME: COUNTS._replace(all=800_000_000)}, "Heading")
        assert made.columns[-1].header == "all, of ONNX Runtime int8"
        assert [*made.columns[-1].cells] == ["0.75", "1.00"]
