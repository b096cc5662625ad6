"""What stands in for OpenBLAS: the layer's numpy calculates right, and says what it cannot do."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from layers.blas.replacement import FOLDER, LIBRARY, LOOPS, replace_openblas
from layers.contents import open_contents
from layers.elf import read_shared_object, undefined_symbols
from layers.errors import CompilerError
from layers.targets import Target, local_target
from tests.support.wheelhouse import Compiler
from tests.tools.layers.conftest import ARM64, X86_64

LIB = "libscipy_openblas64_-0.so"
USES = (
    "float scipy_cblas_sdot64_(); void scipy_dgesv_64_(); void use(void) { scipy_cblas_sdot64_(); scipy_dgesv_64_(); }"
)

PRODUCTS = """
import itertools, random
import numpy as np

numbers = random.Random(1)

def matrix(rows, columns, kind):
    part = lambda: np.array([numbers.randint(-8, 8) for _ in range(rows * columns)], "d").reshape(rows, columns)
    return (part() + (1j * part() if kind in "FD" else 0)).astype(kind)

def expected(a, b):
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b.tolist())] for row in a.tolist()]

made = 0
for kind, (m, k, n), turn in itertools.product("fdFD", [(3, 5, 4), (1, 5, 4), (3, 5, 1), (3, 1, 4)], range(4)):
    a = matrix(k, m, kind).T if turn & 1 else matrix(m, k, kind)
    b = matrix(n, k, kind).T if turn & 2 else matrix(k, n, kind)
    product, column = expected(a, b), b[:, 0]
    assert (a @ b).tolist() == product, (kind, m, k, n, turn)
    assert a.dot(b).tolist() == product
    assert (a @ a.T).tolist() == expected(a, a.T) and (a.T @ a).tolist() == expected(a.T, a)
    assert (a @ column).tolist() == (a[:, ::-1] @ column[::-1]).tolist() == [row[0] for row in product]
    assert a[0].dot(column) == a[0, ::-1].dot(column[::-1]) == product[0][0]
    assert np.vdot(a[0], column) == sum(x.conjugate() * y for x, y in zip(a[0].tolist(), column.tolist()))
    made += 1
print(made)
"""


@pytest.fixture(scope="module")
def site(local_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer for this Python, unpacked."""
    folder = tmp_path_factory.mktemp("opt")
    with open_contents(local_zip) as layer:
        layer.extract(folder)
    return folder / "python"


@pytest.fixture
def packages(tmp_path: Path, compile_object: Compiler) -> Path:
    """A folder with a module of numpy that uses a routine of BLAS and one of LAPACK."""
    library = compile_object(
        LIB, "float scipy_cblas_sdot64_() { return 0; } void scipy_dgesv_64_() {}", f"-Wl,-soname,{LIB}"
    )
    compile_object("numpy/_core/module.so", USES, f"-L{library.parent}", f"-l:{LIB}")
    library.unlink()
    return tmp_path / "objects"


def replace(target: Target, folder: Path) -> list[Path]:
    try:
        return replace_openblas(target, folder)
    except CompilerError as error:
        pytest.skip(str(error))


def test_products_of_matrices_and_vectors_are_right(site: Path, run_python: Callable[..., str]) -> None:
    assert [path.name[: len(LIBRARY)] for path in (site / FOLDER).iterdir()] == [LIBRARY]
    assert run_python(PRODUCTS, site) == "64"


def test_what_is_not_there_ends_the_process_with_its_name(site: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(site)!r}); import numpy; numpy.linalg.inv(numpy.eye(2))"
    ran = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True)
    assert ran.returncode != 0
    assert "_64_: this layer has no LAPACK" in ran.stderr and "docs/decisions/without-openblas.md" in ran.stderr


def test_all_that_the_modules_need_is_defined_and_no_more(site: Path) -> None:
    needed = {name for module in site.rglob("numpy/**/*.so") for name in undefined_symbols(module.read_bytes())}
    (library,) = (site / FOLDER).iterdir()
    defined = symbols(library)
    assert defined == {name for name in needed if name.startswith("scipy_")}
    assert defined > LOOPS


def symbols(library: Path) -> set[str]:
    shown = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in shown.splitlines()}


@pytest.mark.parametrize("target", [X86_64, ARM64], ids=lambda target: target.name)
def test_the_library_is_for_the_target_and_the_same_each_time(target: Target, packages: Path) -> None:
    (library,) = replace(target, packages)
    first = library.read_bytes()
    assert library == packages / FOLDER / LIB
    assert read_shared_object(LIB, first).machine == target.processor.elf
    library.unlink()
    assert replace(target, packages)[0].read_bytes() == first


def test_a_library_that_is_there_stays(packages: Path) -> None:
    (packages / FOLDER).mkdir()
    (packages / FOLDER / LIB).write_bytes(b"OpenBLAS")
    assert replace(local_target(), packages) == []
    assert (packages / FOLDER / LIB).read_bytes() == b"OpenBLAS"


def test_nothing_is_compiled_if_nothing_needs_it(tmp_path: Path) -> None:
    assert replace(ARM64, tmp_path) == []
    assert list(tmp_path.iterdir()) == []
