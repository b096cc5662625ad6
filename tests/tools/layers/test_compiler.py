"""Compiling the library for arm64: which compiler, what comes out, and what is said without one."""

import shutil
from pathlib import Path

import pytest

from layers import compiler
from layers.check.compatibility import find_problems
from layers.compiler import compile_library
from layers.contents import open_contents
from layers.cpulist import library
from layers.elf import read_shared_object
from layers.errors import CompilerError
from tests.tools.layers.conftest import ARM64, X86_64


@pytest.fixture
def no_zig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment without ziglang, and an empty PATH that a test may fill."""
    monkeypatch.setattr(compiler.importlib.util, "find_spec", lambda name: None)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def write_compiler(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_what_is_compiled_loads_on_lambda_and_is_the_same_each_time(tmp_path: Path) -> None:
    try:
        compile_library(ARM64, library.SOURCE, tmp_path / "one/libcpulist.so")
    except CompilerError as error:
        pytest.skip(str(error))
    compile_library(ARM64, library.SOURCE, tmp_path / "two/libcpulist.so")
    one = (tmp_path / "one/libcpulist.so").read_bytes()
    assert one == (tmp_path / "two/libcpulist.so").read_bytes()
    assert read_shared_object("libcpulist.so", one).machine == "EM_AARCH64"
    with open_contents(tmp_path / "one/libcpulist.so") as contents:
        assert list(find_problems(contents, ARM64)) == []


def test_without_a_compiler_the_error_names_what_to_install(no_zig: Path, tmp_path: Path) -> None:
    write_compiler(no_zig / "cc", "exit 1")  # this machine's own, of no use
    with pytest.raises(CompilerError, match=r"no compiler for arm64 here.*pip install ziglang.*gcc-aarch64-linux-gnu"):
        compile_library(ARM64, library.SOURCE, tmp_path / "libcpulist.so")


def test_a_cross_compiler_does(no_zig: Path, tmp_path: Path) -> None:
    write_compiler(no_zig / "aarch64-linux-gnu-gcc", 'while [ "$1" != -o ]; do shift; done; echo "$0" > "$2"')
    compile_library(ARM64, library.SOURCE, tmp_path / "lib/libcpulist.so")
    assert (tmp_path / "lib/libcpulist.so").read_text() == f"{no_zig}/aarch64-linux-gnu-gcc\n"


def test_the_machines_own_compiler_does_for_its_own_processor(no_zig: Path, tmp_path: Path) -> None:
    if not X86_64.is_this_machine:
        pytest.skip("not x86_64")
    write_compiler(no_zig / "cc", 'while [ "$1" != -o ]; do shift; done; echo native > "$2"')
    compile_library(X86_64, library.SOURCE, tmp_path / "libcpulist.so")
    assert (tmp_path / "libcpulist.so").read_text() == "native\n"


def test_a_compiler_that_fails_is_quoted(no_zig: Path, tmp_path: Path) -> None:
    write_compiler(no_zig / "aarch64-linux-gnu-gcc", "echo 'no such header' >&2; exit 1")
    with pytest.raises(
        CompilerError, match=r"aarch64-linux-gnu-gcc cannot compile the library cpulist\.c: no such header"
    ):
        compile_library(ARM64, library.SOURCE, tmp_path / "libcpulist.so")


def test_a_compiler_that_writes_nothing_fails(no_zig: Path, tmp_path: Path) -> None:
    shutil.copy(shutil.which("true", path="/bin:/usr/bin") or "/bin/true", no_zig / "aarch64-linux-gnu-gcc")
    with pytest.raises(CompilerError, match="no message"):
        compile_library(ARM64, library.SOURCE, tmp_path / "libcpulist.so")
