"""The rules, held against the real wheels: none is dead, and none takes away what serving needs."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from layers.build.function import function_contents
from layers.build.slimming import KEPT, LEFT_OUT, reason_to_leave_out
from layers.build.wheels import REQUIREMENTS, download
from layers.check.proof import facts_of, run_clean
from layers.contents import Contents, open_contents
from layers.pythons import own
from tests.support.bundles import DATA_DIR, write_bundle
from tests.support.paths import ROOT
from tests.tools.layers.conftest import X86_64

UNUSED_BYTES = 100_000
"""Smaller shared objects may lie in the layer unused: a rule for each would cost more than it saves."""


@pytest.fixture(scope="module")
def wheel_names(runtime_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every file in the wheels, before slimming."""
    names: set[str] = set()
    for wheel in download(X86_64, REQUIREMENTS, tmp_path_factory.mktemp("wheels")):
        with open_contents(wheel) as contents:
            names.update(contents.sizes)
    return names


@pytest.fixture(scope="module")
def facts(local_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a clean process did with the layer for this Python, a bundle and the function."""
    opt = tmp_path_factory.mktemp("opt")
    write_bundle(opt / "models", name="tiny")
    with open_contents(local_zip) as runtime, open_contents(opt) as models:
        clean = run_clean(own(), function_contents(ROOT), [runtime, models], DATA_DIR / "seven.png")
    assert clean.ended is not None and clean.ended.returncode == 0, clean
    return facts_of(clean.ended)


@pytest.mark.parametrize("pattern", LEFT_OUT)
def test_every_rule_leaves_something_out(pattern: str, wheel_names: set[str]) -> None:
    assert [name for name in wheel_names if fnmatchcase(name, pattern) and name not in KEPT]
    assert LEFT_OUT[pattern]


def test_what_is_kept_exists(wheel_names: set[str]) -> None:
    assert wheel_names >= KEPT


def test_licences_and_versions_stay(runtime_zip: Path) -> None:
    with open_contents(runtime_zip) as runtime:
        names = list(runtime.sizes)
    for package in ("ai_edge_litert", "numpy", "pillow", "pybase64", "pyspng", "zlib_ng"):
        assert [n for n in names if n.startswith(f"python/{package}-") and "/licenses/LICENSE" in n], package
        assert [n for n in names if n.startswith(f"python/{package}-") and n.endswith("/METADATA")], package


def test_the_slimmed_layer_serves_every_format(facts: dict[str, Any]) -> None:
    answers = facts["answers"]
    assert {"tiny", "digits"} <= set(answers)
    assert set(answers["tiny"]) == {"JPEG", "PNG", "WEBP", "GIF", "BMP"}
    assert {label for label, _ in answers["digits"].values()} == {"7"}


def test_nothing_comes_from_outside_of_layer_and_function(facts: dict[str, Any]) -> None:
    assert facts["outside"] == []


def test_every_megabyte_of_machine_code_is_used(facts: dict[str, Any], local_zip: Path) -> None:
    """A shared object that no served format maps should have a rule in `slimming`."""
    with open_contents(local_zip) as runtime:
        unused = unmapped(runtime, set(facts["mapped"]))
    assert unused == []


def unmapped(runtime: Contents, mapped: set[str]) -> list[str]:
    large = (name for name, size in runtime.sizes.items() if ".so" in name and size > UNUSED_BYTES)
    return [name for name in large if name not in mapped]


def test_a_jpeg_of_a_phone_still_opens(local_zip: Path, tmp_path: Path, run_python: Callable[..., str]) -> None:
    """MPO, with EXIF: Pillow imports two more plugins only when such a picture comes."""
    with open_contents(local_zip) as runtime:
        runtime.extract(tmp_path)
    code = """
import io
from PIL import Image
exif = Image.Exif(); exif[0x0112] = 6
image, file = Image.new("RGB", (8, 4)), io.BytesIO()
image.save(file, "MPO", save_all=True, append_images=[image], exif=exif)
opened = Image.open(io.BytesIO(file.getvalue()), formats=["JPEG"]); opened.load()
print(type(opened).__name__, opened.getexif()[0x0112])
"""
    assert run_python(code, tmp_path / "python") == "MpoImageFile 6"


def test_the_reason_is_told() -> None:
    assert reason_to_leave_out("ai_edge_litert/libLiteRtWebGpuAccelerator.so") == "GPU accelerator"
    assert reason_to_leave_out("ai_edge_litert/interpreter.py") is None
    assert reason_to_leave_out("PIL/WebPImagePlugin.py") is None
