"""Finds what numpy's modules need of OpenBLAS, and compiles a library of that name that has it."""

from pathlib import Path

from layers.compiler import compile_library
from layers.elf import read_shared_object, undefined_symbols
from layers.targets import Target

SOURCE = Path(__file__).with_name("blas.c")
LIBRARY = "libscipy_openblas"
"""How the library's name begins in numpy's wheels. Source: the package scipy-openblas64, which numpy builds with."""
PREFIX, SUFFIX = "scipy_", "64_"
"""Of its symbols: those with integers of 64 bits. Source: as above."""
FOLDER = "numpy.libs"
"""Where numpy's modules look for it (their run path)."""
REAL = ("axpy", "dot", "gemm", "gemv", "syrk")
COMPLEX = ("axpy", "dotc_sub", "dotu_sub", "gemm", "gemv", "syrk")
LOOPS = {
    f"{PREFIX}cblas_{number}{routine}{SUFFIX}"
    for numbers, routines in (("sd", REAL), ("cz", COMPLEX))
    for number in numbers
    for routine in routines
}
"""What blas.c calculates."""


def replace_openblas(target: Target, folder: Path) -> list[Path]:
    """Write the library beside numpy in `folder`, where packages are unpacked; returns its path in a list.

    The list is empty if nothing there needs OpenBLAS, or if it is there itself. What is needed and not among LOOPS ends
    the process with its name as soon as it is called. The same compiler gives the same bytes. Raises CompilerError.
    """
    needed = {name: symbols for name, symbols in _needed(folder).items() if not (folder / FOLDER / name).exists()}
    for library, symbols in needed.items():
        refused = "".join(f"ROUTINE({symbol})" for symbol in sorted(symbols - LOOPS))
        options = [f"-Wl,-soname,{library}", f"-DREFUSED={refused}"]
        compile_library(target, SOURCE, folder / FOLDER / library, options)
    return [folder / FOLDER / library for library in needed]


def _needed(folder: Path) -> dict[str, set[str]]:
    """The library's file name, and all its symbols that the modules below `folder` use."""
    found: dict[str, set[str]] = {}
    for module in sorted(folder.rglob("numpy/**/*.so")):
        data = module.read_bytes()
        for library in read_shared_object(module.name, data).needed:
            if library.startswith(LIBRARY):
                used = {name for name in undefined_symbols(data) if name.startswith(PREFIX) and name.endswith(SUFFIX)}
                found.setdefault(library, set()).update(used)
    return found
