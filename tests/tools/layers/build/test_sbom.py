"""The bills of materials: what is shipped, with hashes and licences, valid, and the same each time."""

import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layers.build.function import function_contents
from layers.build.runtime_layer import build_runtime_layer
from layers.build.sbom import LEFT_OUT, SUFFIX, function_sbom, layer_sbom, write_sbom
from layers.build.wheels import REQUIREMENTS
from layers.targets import Target
from tests.support.paths import ROOT
from tests.support.wheelhouse import write_requirements, write_wheel
from tests.tools.layers.conftest import ARM64, X86_64
from tests.whole.test_requirements import pins


def tiny_bill(folder: Path) -> dict[str, Any]:
    built = build_runtime_layer(X86_64, folder / "out", folder / "requirements.txt").path
    return json.loads(built.with_suffix(SUFFIX).read_text())


def valid(bom: dict[str, Any]) -> None:
    """By CycloneDX's own schema, with the library of that project."""
    pytest.importorskip("cyclonedx", reason="cyclonedx-python-lib is not installed: run `make test` once")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom)) is None


def all_components(bom: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Name to component, nested ones too; fails for a reference given twice."""
    found = [inner for outer in bom["components"] for inner in (outer, *outer.get("components", []))]
    references = [one["bom-ref"] for one in found]
    assert len(set(references)) == len(references)
    return {one["name"]: one for one in found}


def test_a_wheel_is_named_with_its_hash_and_with_what_is_left_out(offline: Path, tmp_path: Path) -> None:
    wheel = write_wheel(offline)
    write_requirements(tmp_path, wheel)
    bom = tiny_bill(tmp_path)
    (tiny,) = bom["components"]
    assert (tiny["purl"], tiny["version"]) == ("pkg:pypi/tiny@1.0", "1.0")
    assert tiny["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}]
    assert {"name": LEFT_OUT, "value": "type stubs: 1 files"} in tiny["properties"]
    assert bom["metadata"]["component"]["name"] == "slimception-runtime-py313-x86_64"
    valid(bom)


def test_the_same_build_gives_the_same_bytes_and_another_one_another_serial_number(
    offline: Path, tmp_path: Path
) -> None:
    write_requirements(tmp_path, write_wheel(offline))
    one, two = tiny_bill(tmp_path), tiny_bill(tmp_path)
    assert json.dumps(one) == json.dumps(two)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one["serialNumber"])
    other = layer_sbom("runtime-py313-x86_64", [write_wheel(tmp_path / "newer", version="1.1")])
    assert other["serialNumber"] != one["serialNumber"]
    assert "timestamp" not in json.dumps(one)


def test_licences_are_taken_from_whatever_a_package_states(tmp_path: Path) -> None:
    given = {
        "License-Expression: MIT": [{"expression": "MIT"}],
        "Classifier: License :: OSI Approved :: MIT License": [{"license": {"name": "MIT License"}}],
        "License: free": [{"license": {"name": "free"}}],
        "Summary: none": None,
    }
    for line, licenses in given.items():
        path = tmp_path / "some_thing-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("some_thing-1.0.dist-info/METADATA", f"Name: some_thing\nVersion: 1.0\n{line}\n")
        (component,) = layer_sbom("it", [path])["components"]
        assert (component["purl"], component.get("licenses")) == ("pkg:pypi/some-thing@1.0", licenses)


@pytest.mark.parametrize("wanted", [X86_64, ARM64], ids=lambda target: target.name)
def test_the_real_layers_bill(wanted: Target, build_real: Callable[[Target], Path]) -> None:
    built = build_real(wanted)
    bom = json.loads(built.with_suffix(SUFFIX).read_text())
    valid(bom)
    outer = {one["name"]: one for one in bom["components"] if one["type"] == "library"}
    assert set(outer) == {"ai-edge-litert", "numpy", "pillow", "pybase64", "pyspng", "zlib-ng"}
    assert all(one["hashes"][0]["content"] in REQUIREMENTS.read_text() and one["licenses"] for one in outer.values())
    found = all_components(bom)
    assert found["libwebp"]["version"] and found["libjpeg / libjpeg-turbo"]["licenses"]
    assert not {"libavif", "FreeType", "PIL._avif", "libimagequant"} & set(found)
    with zipfile.ZipFile(built) as archive:
        shipped = {name for name in archive.namelist() if ".libs/" in name or name.startswith("lib/")}
        assert shipped == {name for name, one in found.items() if one["type"] == "file"}
        for name in shipped:
            digest = hashlib.sha256(archive.read(name)).hexdigest()
            assert found[name]["hashes"][0]["content"] == digest


def test_the_functions_bill_names_chalice_as_it_is_locked(tmp_path: Path) -> None:
    function = function_contents(ROOT)
    bom = json.loads(write_sbom(tmp_path / "function.cdx.json", function_sbom(function)).read_text())
    valid(bom)
    (chalice,) = bom["components"]
    assert chalice["version"] == pins(ROOT / "requirements" / "deploy.txt")["chalice;"]
    files = {one["name"]: one["hashes"][0]["content"] for one in chalice["components"]}
    assert files == {
        name: hashlib.sha256(function.read(name)).hexdigest() for name in ("chalice/__init__.py", "chalice/app.py")
    }
