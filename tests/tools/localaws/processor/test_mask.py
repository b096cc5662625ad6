"""The mask's handler, run on any x86-64 processor; and what `--processor` shows on machines of each kind."""

import argparse
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localaws.errors import CompilerMissing, MaskMissing, ProcessorMissing
from localaws.processor import mask, mask_build, mask_features, mask_option
from localaws.processor.mask import HIDDEN, LEVELS, SOURCE, VARIABLE, in_place, show
from localaws.processor.mask_features import Machine, in_words, read

TEST = Path(__file__).with_suffix(".c")
ALL_BITS = 0xFFFFFFFF
AMX_BITS = {(7, 0, "edx"): {22, 24, 25}, (7, 1, "eax"): {21}, (7, 1, "edx"): {8, 19}, (0xD, 0, "eax"): {17, 18}}
AVX512_BITS = {
    (7, 0, "ebx"): {16, 17, 21, 26, 27, 28, 30, 31},
    (7, 0, "ecx"): {1, 6, 8, 11, 12, 14},
    (7, 0, "edx"): {2, 3, 8, 23},
    (7, 1, "eax"): {4, 5, 23},
    (7, 1, "edx"): {4, 5, 10},
    (0xD, 0, "eax"): {5, 6, 7},
}
AMX_LEAVES, AVX512_LEAVES = {(0xD, 17), (0xD, 18), (0x1D, 1), (0x1E, 0), (0x24, 0)}, {(0xD, 5), (0xD, 6), (0xD, 7)}
EPYC = Machine("AMD EPYC", frozenset({"avx2"}))
XEON = Machine("Intel Xeon", frozenset({"avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"}))
ZEN4 = Machine("AMD EPYC 9004", frozenset({"avx2", "avx512f", "avx512_vnni"}))
LIBRARY = Path("/cache/mask.so")


def masker(level):
    return {VARIABLE: level}, LIBRARY


def no_masker(level):
    raise MaskMissing("the kernel refuses")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("needs Linux on x86_64")
    try:
        compiler = mask_build.find_compiler()
    except CompilerMissing as error:
        pytest.skip(str(error))
    built = tmp_path_factory.mktemp("mask") / "test_mask"
    options = ["-Wall", "-Werror", "-O1", "-mno-red-zone", "-pthread", f'-DMASK="{SOURCE}"']
    subprocess.run([*compiler, *options, "-o", str(built), str(TEST), "-ldl"], check=True)
    return built


def run(program, what, level="avx2"):
    return subprocess.run([program, what], env={VARIABLE: level}, capture_output=True, text=True, check=False)


def answers(text):
    """(leaf, subleaf) to the four registers, which are all ones on the processor of the test."""
    rows = [[int(part, 16) for part in line.split()] for line in text.splitlines()]
    return {tuple(row[:2]): dict(zip(("eax", "ebx", "ecx", "edx"), row[2:], strict=True)) for row in rows}


class TestHandler:
    @pytest.mark.parametrize(
        ("level", "bits", "leaves"),
        [
            ("avx512", [AMX_BITS], AMX_LEAVES),
            ("avx2", [AMX_BITS, AVX512_BITS], AMX_LEAVES | AVX512_LEAVES),
        ],
    )
    def test_exactly_these_bits_are_hidden(self, program, level, bits, leaves):
        ended = run(program, "table", level)
        assert ended.returncode == 0
        found = answers(ended.stdout)
        assert len(found) == 15
        for leaf, registers in found.items():
            for name, value in registers.items():
                hidden = {bit for part in bits for bit in part.get((*leaf, name), ())}
                expected = 0 if leaf in leaves else ALL_BITS & ~sum(1 << bit for bit in hidden)
                assert value == expected, (leaf, name, hex(value))

    @pytest.mark.parametrize(("what", "code"), [("thread", 0), ("fork", 3), ("sigaction", 7), ("signal", 6)])
    def test_threads_children_and_later_handlers(self, program, what, code):
        ended = run(program, what)
        assert answers(ended.stdout)[7, 0]["ebx"] == ALL_BITS & ~sum(1 << bit for bit in AVX512_BITS[7, 0, "ebx"])
        assert ended.returncode == code

    @pytest.mark.parametrize(("what", "code"), [("fault", -11), ("other", -11), ("sent", -11), ("ignored", 3)])
    def test_other_faults_end_as_without_a_mask(self, program, what, code):
        ended = run(program, what)
        assert (ended.returncode, ended.stdout) == (code, "")

    def test_without_the_variable_nothing_is_masked(self, program):
        assert run(program, "table", "native").returncode == 5


class TestLibrary:
    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def test_python_reports_its_own_fault_under_the_mask(self, program):
        library = mask_build.library(SOURCE, ["-DALLOW_CPUID(yes)=0"])  # as where the kernel agrees
        code = "import ctypes, faulthandler; faulthandler.enable(); ctypes.string_at(0)"
        env = {VARIABLE: "avx2", "LD_PRELOAD": str(library)}
        ended = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
        assert ended.returncode == -signal.SIGSEGV
        assert "Fatal Python error: Segmentation fault" in ended.stderr

    def test_where_the_kernel_refuses_the_process_continues_and_the_probe_says_so(self, program):
        library = mask_build.library(SOURCE, ["-DALLOW_CPUID(yes)=(errno=ENODEV,-1)"])
        env = {VARIABLE: "avx2", "LD_PRELOAD": str(library)}
        with pytest.raises(MaskMissing, match="the kernel cannot make CPUID fault"):
            mask.probe(env, HIDDEN["avx2"])

    def test_a_library_that_is_not_loaded(self, program):
        env = {"LD_PRELOAD": str(mask_build.library(SOURCE))}
        with pytest.raises(MaskMissing, match="the mask was not loaded"):
            mask.probe(env, HIDDEN["avx2"])

    def test_the_whole_mask_on_a_processor_that_can_fault(self, program):
        if "cpuid_fault" not in Path("/proc/cpuinfo").read_text():
            pytest.skip("this processor has no cpuid_fault")
        mask.masked("avx2")
        mask.masked("avx512")

    def test_it_is_compiled_once(self, program, tmp_path):
        first = mask_build.library(SOURCE)
        assert mask_build.library(SOURCE, compiler=["no compiler"]) == first
        assert [path.name for path in tmp_path.rglob("*.so")] == [first.name]

    def test_a_source_that_is_refused(self, program, tmp_path):
        (tmp_path / "bad.c").write_text("int x = y;")
        with pytest.raises(CompilerMissing, match=r"bad\.c cannot be compiled: .*error"):
            mask_build.library(tmp_path / "bad.c")

    def test_without_a_compiler_the_reason_is_named(self, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr(mask_build.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(CompilerMissing, match="pip install ziglang"):
            mask_build.find_compiler()


class TestShown:
    def test_what_lambda_promises_needs_no_mask(self):
        shown = show("avx2", EPYC, no_masker)
        assert shown.heading == "AVX2 (AMD EPYC, all it has)"
        assert not shown.environment
        assert show("native", EPYC, no_masker).heading == shown.heading

    def test_more_is_masked(self):
        shown = show("avx2", XEON, masker)
        assert shown.heading == "AVX2 shown of AVX-512 VNNI, AMX (Intel Xeon)"
        assert shown.environment == {VARIABLE: "avx2", "LD_PRELOAD": str(LIBRARY)}

    def test_more_that_cannot_be_masked_is_not_lambdas(self):
        shown = show("avx2", ZEN4, no_masker)
        assert shown.heading == (
            "AVX-512 VNNI (AMD EPYC 9004, unmasked); not Lambda's figures: CPUID is not masked to AVX2, for the kernel "
            "refuses: measure on one that can be masked, or that has nothing beyond AVX2"
        )
        assert not shown.environment

    def test_avx512_and_native_are_more_than_lambda_promises(self):
        more = "; more than Lambda promises, which is AVX2"
        assert show("avx512", ZEN4, no_masker).heading == f"AVX-512 VNNI (AMD EPYC 9004, all it has){more}"
        assert show("avx512", XEON, masker).heading == f"AVX-512 VNNI shown of AVX-512 VNNI, AMX (Intel Xeon){more}"
        assert show("native", XEON, no_masker).heading == f"AVX-512 VNNI, AMX (Intel Xeon, all it has){more}"

    def test_avx512_on_a_lesser_processor_is_an_error(self):
        with pytest.raises(ProcessorMissing, match="--processor avx512: AMD EPYC has AVX2 and no AVX-512 VNNI"):
            show("avx512", EPYC, masker)

    def test_amx_that_cannot_be_hidden_is_an_error(self):
        with pytest.raises(ProcessorMissing, match="CPUID cannot be masked, for the kernel refuses: choose native"):
            show("avx512", XEON, no_masker)

    def test_another_processor_is_not_lambdas(self):
        arm = Machine("Neoverse-N1", frozenset({"asimddp"}))
        assert show("avx2", arm, no_masker).caveat == "not Lambda's figures: Lambda's x86_64 has AVX2"

    def test_off_linux_nothing_is_masked(self, monkeypatch):
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(MaskMissing, match="this is darwin on"):
            mask.masked("avx2")

    def test_a_process_starts_again_under_its_mask_once(self, monkeypatch):
        started = []
        monkeypatch.setattr(mask.os, "execve", lambda *given: started.append(given))
        monkeypatch.delenv(VARIABLE, raising=False)
        in_place(show("avx2", EPYC, masker))
        assert not started
        in_place(show("avx2", XEON, masker))
        assert started[0][1] == [sys.executable, *sys.orig_argv[1:]]
        assert started[0][2]["LD_PRELOAD"] == str(LIBRARY)
        monkeypatch.setenv(VARIABLE, "avx2")
        in_place(show("avx2", XEON, masker))
        assert len(started) == 1


class TestFeatures:
    @pytest.mark.parametrize(
        ("line", "name", "words"),
        [
            ("model name\t: X\nflags\t\t: fpu avx2 vaes", "X", "AVX2"),
            ("model name\t: X\nflags\t\t: avx2 avx_vnni", "X", "AVX2, AVX-VNNI"),
            ("model name\t: X\nflags\t\t: avx2 avx512f", "X", "AVX-512"),
            ("model name\t: X\nflags\t\t: avx2 avx512f avx512_vnni avx_vnni amx_int8", "X", "AVX-512 VNNI, AMX"),
            ("BogoMIPS\t: 243.75\nFeatures\t: fp asimddp", mask_features.NAMELESS, "dot product"),
            ("", mask_features.NAMELESS, "no feature that is known here"),
        ],
    )
    def test_read(self, tmp_path, line, name, words):
        (tmp_path / "cpuinfo").write_text(line)
        found = read(tmp_path / "cpuinfo")
        assert (found.name, in_words(found.features)) == (name, words)

    def test_no_such_file(self, tmp_path):
        assert read(tmp_path / "none") == Machine(mask_features.NAMELESS, frozenset())


class TestOption:
    def test_one(self):
        parser = argparse.ArgumentParser()
        mask_option.add_option(parser)
        assert parser.parse_args([]).processor == "avx2"
        assert parser.parse_args(["--processor", "native"]).processor == "native"

    def test_several(self):
        parser = argparse.ArgumentParser()
        mask_option.add_repeatable_option(parser)
        given = [[], ["all"], ["native", "avx2", "avx2"]]
        options = [parser.parse_args([part for one in some for part in ("--processor", one)]) for some in given]
        found = [mask_option.levels(option.processor) for option in options]
        assert found == [["avx2"], list(LEVELS), ["avx2", "native"]]
