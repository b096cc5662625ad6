"""Building from a folder of small wheels: what pip refuses, what is left out, and that nothing varies."""

import marshal
import zipfile
from collections.abc import Callable
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

import pytest

from layers.build import bytecode
from layers.build.bytecode import compile_modules
from layers.build.runtime_layer import build_runtime_layer
from layers.build.wheels import REQUIREMENTS, download
from layers.errors import BytecodeError, WheelError
from layers.pythons import own
from layers.targets import Target, local_target
from tests.support.wheelhouse import write_requirements, write_wheel
from tests.tools.layers.conftest import ARM64, X86_64

UNCHECKED_HASH = (1).to_bytes(4, "little")
"""PEP 552: hash-based, not checked against the source."""


def test_the_same_input_gives_the_same_bytes(offline: Path, tmp_path: Path) -> None:
    requirements = write_requirements(tmp_path, write_wheel(offline))
    one = build_runtime_layer(X86_64, tmp_path / "one", requirements).path
    two = build_runtime_layer(X86_64, tmp_path / "two", requirements).path
    assert one.name == "runtime-py313-x86_64.zip"
    assert one.read_bytes() == two.read_bytes()


def test_the_layer_holds_modules_below_python_and_no_stubs_or_tests(offline: Path, tmp_path: Path) -> None:
    built = build_runtime_layer(X86_64, tmp_path, write_requirements(tmp_path, write_wheel(offline)))
    with zipfile.ZipFile(built.path) as archive:
        names = {name for name in archive.namelist() if "__pycache__" not in name}
    assert names == {
        "python/tiny/__init__.py",
        "python/tiny/answer.py",
        "python/tiny-1.0.dist-info/METADATA",
        "python/tiny-1.0.dist-info/WHEEL",
        "python/tiny-1.0.dist-info/licenses/LICENSE",
    }


def test_bytecode_is_of_the_unchecked_hash_kind_and_names_the_place_on_lambda(
    offline: Path, tmp_path: Path, run_python: Callable[..., str]
) -> None:
    local = local_target()
    tag = f"cp{local.digits}-cp{local.digits}-manylinux_2_17_{local.processor.wheel}"
    built = build_runtime_layer(local, tmp_path, write_requirements(tmp_path, write_wheel(offline, tag)))
    assert built.path.name == f"runtime-local-py{local.digits}-{local.arch}.zip"
    assert built.bytecode.startswith("2 modules compiled by ")
    with zipfile.ZipFile(built.path) as archive:
        compiled = archive.read(cache_from_source("python/tiny/answer.py"))
        archive.extractall(tmp_path / "opt")
    assert compiled[:8] == MAGIC_NUMBER + UNCHECKED_HASH
    (tmp_path / "opt/python/tiny/answer.py").write_text("ANSWER = 'compiled again'\n")
    assert marshal.loads(compiled[16:]).co_filename == "/opt/python/tiny/answer.py"
    assert run_python("import tiny; print(tiny.ANSWER)", tmp_path / "opt/python") == "42"


def test_where_the_targets_python_is_not_at_hand_the_build_says_so(
    offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bytecode, "find_python", lambda version: None)
    built = build_runtime_layer(X86_64, tmp_path, write_requirements(tmp_path, write_wheel(offline)))
    assert built.bytecode.startswith("no bytecode: there is no Python 3.13 here")
    assert "uv python install 3.13" in built.bytecode
    with zipfile.ZipFile(built.path) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".pyc")]


@pytest.mark.parametrize(
    "tag",
    [
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp313-cp313-manylinux_2_28_aarch64",
        "cp313-cp313-manylinux_2_39_x86_64",
        "cp313-cp313-win_amd64",
    ],
)
def test_a_wheel_that_does_not_fit_is_missing(offline: Path, tmp_path: Path, tag: str) -> None:
    requirements = write_requirements(tmp_path, write_wheel(offline, tag))
    with pytest.raises(WheelError) as caught:
        build_runtime_layer(X86_64, tmp_path / "out", requirements)
    message = str(caught.value)
    assert "tiny==1.0" in message
    assert "no wheel for Python 3.13 on x86_64 with glibc up to 2.34" in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


def test_a_wheel_with_another_hash_is_refused(offline: Path, tmp_path: Path) -> None:
    requirements = write_requirements(tmp_path, write_wheel(offline), digest="0" * 64)
    with pytest.raises(WheelError, match="does not match its hash"):
        build_runtime_layer(X86_64, tmp_path / "out", requirements)


def test_an_index_that_cannot_be_reached_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "INDEX_URL": "http://127.0.0.1:1/",
        "RETRIES": "1",
        "NO_CACHE_DIR": "1",
        "TIMEOUT": "2",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    requirements = write_requirements(tmp_path, write_wheel(tmp_path / "elsewhere"))
    with pytest.raises(WheelError, match="cannot be reached"):
        download(X86_64, requirements, tmp_path / "wheels")


def test_a_module_that_does_not_compile_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def\n")
    with pytest.raises(BytecodeError, match="cannot compile"):
        compile_modules(own().path, tmp_path, "/opt/python")


def test_every_requirement_is_pinned_with_hashes() -> None:
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    pins = [line for line in lines if not line.startswith(" ")]
    assert [pin.split("==")[0] for pin in pins] == [
        "ai-edge-litert",
        "numpy",
        "pillow",
        "pybase64",
        "pyspng",
        "zlib-ng",
    ]
    assert len(lines) > len(pins)
    assert all(line.strip().startswith("--hash=sha256:") for line in lines if line not in pins)


@pytest.mark.parametrize("wanted", [X86_64, ARM64], ids=lambda target: target.name)
def test_the_real_layer_is_built_for_either_processor(wanted: Target, build_real: Callable[[Target], Path]) -> None:
    with zipfile.ZipFile(build_real(wanted)) as archive:
        modules = [name for name in archive.namelist() if "_multiarray_umath." in name and ".so" in name]
    assert modules == [f"python/numpy/_core/_multiarray_umath.cpython-313-{wanted.processor.wheel}-linux-gnu.so"]
