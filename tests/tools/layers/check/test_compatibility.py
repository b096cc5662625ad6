"""Real ELF objects against the targets: every line names the file, what is wrong with it, and what helps."""

from pathlib import Path

import pytest

from layers.check.compatibility import Problem, find_problems
from layers.contents import open_contents
from layers.targets import Target, target
from tests.support.wheelhouse import Compiler, for_arm64, write_wheel, write_zip
from tests.tools.layers.conftest import ARM64, X86_64

NEEDS_GLIBC_229 = "#include <math.h>\ndouble f(double x) { return exp(x) + log(x); }\n"
PLAIN = "int f(void) { return 42; }\n"


def problems(path: Path, wanted: Target = X86_64) -> list[Problem]:
    with open_contents(path) as contents:
        return list(find_problems(contents, wanted))


def test_a_symbol_of_a_newer_glibc_is_named(compile_object: Compiler) -> None:
    path = compile_object("engine.so", NEEDS_GLIBC_229, "-lm")
    assert problems(path, target("3.12", "x86_64")) == []
    [problem] = problems(path, target("3.11", "x86_64"))
    assert problem.file == "engine.so"
    assert problem.found.startswith("needs exp@GLIBC_2.29, log@GLIBC_2.29 from libm.so.6; Amazon Linux 2 (Python 3.11)")
    assert problem.found.endswith("has GLIBC up to 2.26")
    assert "older release" in problem.remedy


def test_relative_relocations_need_glibc_236_though_no_number_says_so(compile_object: Compiler) -> None:
    source = '#include <stdio.h>\nstatic int a; int *p[9] = {&a, &a}; int f(void) { return puts("f"); }\n'
    path = compile_object("relr.so", source, "-Wl,-z,pack-relative-relocs")
    if b"GLIBC_ABI_DT_RELR" not in path.read_bytes():
        pytest.skip("this linker does not mark relative relocations")
    assert "GLIBC_ABI_DT_RELR" in problems(path)[0].found


def test_another_processors_object_is_named_once(compile_object: Compiler) -> None:
    path = for_arm64(compile_object("engine.so", NEEDS_GLIBC_229, "-lm"))
    [problem] = problems(path)
    assert (problem.file, problem.found) == ("engine.so", "built for EM_AARCH64, the target is x86_64 (EM_X86_64)")
    assert [p for p in problems(path, ARM64) if "built for" in p.found] == []


def test_a_needed_library_that_nobody_has_is_named(compile_object: Compiler) -> None:
    compile_object("libabsent.so.1", PLAIN, "-Wl,-soname,libabsent.so.1")
    objects = compile_object.folder
    path = compile_object("layer/a.so", PLAIN, "-Wl,--no-as-needed", f"-L{objects}", "-l:libabsent.so.1")
    [problem] = problems(path)
    assert problem.found == "needs libabsent.so.1, which neither the layer nor the system has"


@pytest.mark.parametrize(
    ("run_path", "found"),
    [
        ("$ORIGIN/../pkg.libs", []),
        ("${ORIGIN}/../pkg.libs:/nowhere", []),
        ("$ORIGIN", ["needs libown.so.1, which is at python/pkg.libs/libown.so.1, off its run path"]),
    ],
)
def test_a_library_in_the_layer_is_found_by_the_run_path(
    compile_object: Compiler, run_path: str, found: list[str]
) -> None:
    compile_object("layer/python/pkg.libs/libown.so.1", PLAIN, "-Wl,-soname,libown.so.1")
    libs = compile_object.folder / "layer/python/pkg.libs"
    options = ["-Wl,--no-as-needed", f"-L{libs}", "-l:libown.so.1", f"-Wl,-rpath,{run_path}"]
    compile_object("layer/python/pkg/a.so", PLAIN, *options)
    assert [problem.found for problem in problems(compile_object.folder / "layer")] == found


def test_a_damaged_object_is_a_problem_not_a_traceback(compile_object: Compiler) -> None:
    path = compile_object("engine.so", NEEDS_GLIBC_229, "-lm")
    whole = path.read_bytes()
    for length in (4, 20, 64, 200, len(whole) // 2, len(whole) - 100):
        path.write_bytes(whole[:length])
        assert [problem.file for problem in problems(path)] == ["engine.so"], length


def test_a_text_file_of_that_name_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "libc.so"
    path.write_text("GROUP ( libc.so.6 )\n")
    assert problems(path) == []


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("python/a.cpython-313-x86_64-linux-gnu.so", True),
        ("python/a.abi3.so", True),
        ("python/plain.so", True),
        ("python/a.cpython-312-x86_64-linux-gnu.so", False),
        ("python/a.cpython-313t-x86_64-linux-gnu.so", False),
        ("python/a.cpython-313-aarch64-linux-gnu.so", False),
        ("python/a.cpython-313-x86_64-linux-musl.so", False),
    ],
)
def test_a_module_for_another_python_is_named(tmp_path: Path, name: str, fits: bool) -> None:
    found = problems(write_zip(tmp_path / "layer.zip", {name: b""}))
    assert [problem.file for problem in found] == ([] if fits else [name])
    assert fits or "the target needs cpython-313-x86_64-linux-gnu or abi3" in found[0].found


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("cp313-cp313-manylinux_2_28_x86_64", True),
        ("py3-none-any", True),
        ("cp310-abi3-manylinux2014_x86_64", True),
        ("cp313-none-manylinux2014_x86_64", True),
        ("cp314-abi3-manylinux2014_x86_64", False),
        ("cp312-cp312-manylinux_2_28_x86_64", False),
        ("cp313-cp313-manylinux_2_28_aarch64", False),
    ],
)
def test_a_wheel_for_another_python_is_named_even_when_its_modules_are_called_plain_so(
    tmp_path: Path, tag: str, fits: bool
) -> None:
    found = problems(write_wheel(tmp_path, tag))
    assert [problem.file for problem in found] == ([] if fits else ["tiny-1.0.dist-info/WHEEL"])


def test_bytecode_of_another_python_is_one_problem(tmp_path: Path) -> None:
    names = ["python/__pycache__/a.cpython-312.pyc", "python/__pycache__/b.cpython-312.pyc"]
    [problem] = problems(write_zip(tmp_path / "layer.zip", dict.fromkeys(names, b"")))
    assert problem.found == "bytecode of Python 312 in 2 files, which Python 3.13 never reads"
