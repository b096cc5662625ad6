"""`python -m layers check` and `build` as a user sees them: lines, and exit codes 0, 1 and 2."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from layers.build.function import function_contents
from layers.check.proof import prove, run_clean
from layers.contents import from_files
from layers.pythons import find_python, own
from layers.sandbox.bubblewrap import why_not
from layers.targets import local_target
from tests.support.bundles import DATA_DIR
from tests.support.paths import ROOT
from tests.support.wheelhouse import Compiler, for_arm64, write_requirements, write_wheel, write_zip
from tests.tools.layers.conftest import ARM64, Outcome

Run = Callable[..., Outcome]
NEEDS_GLIBC_229 = "#include <math.h>\ndouble f(double x) { return exp(x) + log(x); }\n"


@pytest.fixture
def layers(tmp_path: Path, runtime_zip: Path, bundles: Path) -> Path:
    """A folder as `build` leaves it."""
    (tmp_path / "layers").mkdir()
    shutil.copy(runtime_zip, tmp_path / "layers")
    with zipfile.ZipFile(tmp_path / "layers/model-tiny.zip", "w") as archive:
        for file in sorted((bundles / "tiny").iterdir()):
            archive.write(file, f"models/tiny/{file.name}")
    return tmp_path / "layers"


def test_what_was_built_passes_with_a_table_and_an_answer(layers: Path, run: Run) -> None:
    outcome = run("check", "--out", layers)
    assert (outcome.code, outcome.err) == (0, "")
    assert "for Python 3.13 on x86_64 (Amazon Linux 2023)" in outcome.out
    for word in ("numpy", "ai_edge_litert", "PIL", "model-tiny.zip", "function", "together", "of Lambda's 262.14"):
        assert word in outcome.out
    if "answered in a clean process" in outcome.out:
        assert "digits: 7 (" in outcome.out
        assert "decoded from JPEG, PNG, WEBP, GIF, BMP" in outcome.out
        reason = why_not(find_python("3.13"))
        assert (f"not in a sandbox: {reason}" if reason else "in a sandbox as on Lambda") in outcome.out
    else:
        assert "not run: " in outcome.out
    assert outcome.out.endswith("check passed\n")


def test_the_files_of_an_arm64_layer_are_checked(build_real: Callable[[object], Path], run: Run) -> None:
    arm64 = build_real(ARM64)
    outcome = run("check", arm64)
    assert (outcome.code, outcome.err) == (0, "")
    assert "for Python 3.13 on arm64" in outcome.out
    assert "condition_variable4wait" in outcome.out  # LiteRT's aarch64 wheel asks for GCC 12's libstdc++
    assert "@GLIBCXX_3.4.30; early releases of Amazon Linux 2023 had only 3.4.29" in outcome.out
    assert run("check", arm64, "--arch", "x86_64").code == 1


def test_a_layer_of_another_python_fails_by_name(runtime_zip: Path, run: Run) -> None:
    outcome = run("check", runtime_zip, "--python", "3.12")
    assert outcome.code == 1
    assert "_multiarray_umath.cpython-313-x86_64-linux-gnu.so: a module for cpython-313" in outcome.err
    assert "ai_edge_litert-2.3.0.dist-info/WHEEL: a wheel for cp313-cp313-" in outcome.err
    assert "bytecode of Python 313" in outcome.err
    assert "check failed: " in outcome.out


def test_a_wheel_that_lies_about_glibc_fails_on_python_311(compile_object: Compiler, tmp_path: Path, run: Run) -> None:
    engine = compile_object("engine.so", NEEDS_GLIBC_229, "-lm").read_bytes()
    wheel = write_wheel(tmp_path, "cp311-cp311-manylinux2014_x86_64")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tiny/engine.so", engine)
    outcome = run("check", "--python", "3.11", "--arch", "x86_64", wheel)
    assert outcome.code == 1
    [line] = outcome.err.splitlines()
    assert line.startswith("problem: tiny/engine.so: needs exp@GLIBC_2.29, log@GLIBC_2.29 from libm.so.6; ")
    assert "Amazon Linux 2 (Python 3.11) has GLIBC up to 2.26. Take an older release" in line


def test_an_arm64_object_in_an_x86_64_layer_fails(compile_object: Compiler, layers: Path, run: Run) -> None:
    odd = for_arm64(compile_object("odd.so", "int f(void) { return 1; }\n"))
    with zipfile.ZipFile(layers / "runtime-py313-x86_64.zip", "a") as archive:
        archive.write(odd, "python/odd.so")
    outcome = run("check", "--out", layers)
    assert outcome.code == 1
    assert outcome.err == (
        "problem: python/odd.so: built for EM_AARCH64, the target is x86_64 (EM_X86_64). Take the wheels for x86_64.\n"
    )
    assert "answered" not in outcome.out


def test_a_layer_over_the_budget_fails(layers: Path, run: Run) -> None:
    with zipfile.ZipFile(layers / "runtime-py313-x86_64.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("python/huge.bin", bytes(20_000_000))
    outcome = run("check", "--out", layers)
    assert outcome.code == 1
    assert "MB unzipped, the runtime layer's budget is 60.00 MB" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "--out", "absent"], "holds no such runtime layer: run `python -m layers build` first"),
        (["check", "absent.zip"], "absent.zip does not exist"),
        (["check", "absent.zip", "--python", "3.9"], "no layer is made for Python 3.9: choose one of 3.11, 3.12"),
        (["build", "--python", "3.11"], "error: Python 3.11 runs on Amazon Linux 2 (glibc 2.26), where Pillow 13"),
        (["build", "--arch", "riscv"], "no layer is made for the processor riscv: choose one of x86_64, arm64"),
        (["publish", "--stage", "dev", "--python", "3.11"], "Python 3.11 runs on Amazon Linux 2"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(run: Run, arguments: list[str], message: str) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_a_layer_cut_off_half_way_is_an_error(layers: Path, run: Run) -> None:
    path = layers / "runtime-py313-x86_64.zip"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    outcome = run("check", "--out", layers)
    assert outcome.code == 2
    assert "runtime-py313-x86_64.zip is not a zip" in outcome.err and "build or copy it again" in outcome.err


def test_build_ends_with_the_check(
    offline: Path, tmp_path: Path, bundles: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer of one small package builds, but cannot serve: the last step says so."""
    local = local_target()
    wheel = write_wheel(offline, f"cp{local.digits}-cp{local.digits}-manylinux_2_17_{local.processor.wheel}")
    requirements = write_requirements(tmp_path, wheel)
    monkeypatch.setattr("layers.build.runtime_layer.build_runtime_layer.__defaults__", (requirements,))
    outcome = run("build", "--local", "--out", tmp_path / "out", "--models", bundles)
    assert outcome.code == 1
    assert "2 modules compiled by" in outcome.out
    assert "not for Lambda" in outcome.out
    assert outcome.err.startswith("problem: clean process: exit code 1: ModuleNotFoundError: No module named 'numpy'")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "function.cdx.json",
        "model-tiny.zip",
        f"runtime-local-py{local.digits}-{local.arch}.cdx.json",
        f"runtime-local-py{local.digits}-{local.arch}.zip",
    ]


def test_a_function_that_imports_from_elsewhere_is_caught(tmp_path: Path) -> None:
    """first_answer lists what came neither from Python, nor from function and layers."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/stray.py").write_text("")
    (tmp_path / "app.py").write_text(f"import sys\nsys.path.append({str(tmp_path / 'elsewhere')!r})\nimport stray\n")
    function = function_contents(ROOT)
    files = {name: ROOT / name for name in function.sizes if name.startswith("chalicelib/")}
    changed = from_files("function", {**files, "app.py": tmp_path / "app.py"})
    proof = prove(local_target(), changed, [], None)
    assert [problem.file for problem in proof.problems] == ["clean process"]


@pytest.mark.parametrize("reason", [None, "no namespaces here"])
def test_the_clean_process_is_lambdas_or_says_why_not(
    reason: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """first_answer would import `app`; this one shows where it ran instead."""
    if reason is None and (missing := why_not(own())):
        pytest.skip(missing)
    monkeypatch.setattr("layers.check.proof.why_not", lambda _: reason)
    (tmp_path / "app.py").write_text(
        "import os, sys\nraise SystemExit(f'{os.getcwd()} {sys.argv[1:]} {os.getuid()}')\n"
    )
    clean = run_clean(own(), from_files("function", {"app.py": tmp_path / "app.py"}), [], DATA_DIR / "seven.png")
    if reason is None:
        assert clean.where == "in a sandbox as on Lambda"
        assert clean.ended.stderr == "/var/task ['/var/task', '/opt', '/run/picture'] 993\n"
    else:
        assert clean.where == "not in a sandbox: no namespaces here"
        assert "seven.png" in clean.ended.stderr and "/run/picture" not in clean.ended.stderr


def test_the_function_is_what_chalice_would_zip() -> None:
    names = set(function_contents(ROOT).sizes)
    assert {"app.py", "chalicelib/api/views.py", "chalice/app.py", "chalice/__init__.py"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith(("layers/", "tests/"))]


def test_a_plain_zip_without_layers_is_checked_too(tmp_path: Path, run: Run) -> None:
    outcome = run("check", write_zip(tmp_path / "model-x.zip", {"models/x/labels.txt": b"red\n"}))
    assert (outcome.code, outcome.err) == (0, "")
