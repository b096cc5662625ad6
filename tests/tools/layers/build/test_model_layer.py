import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layers.build.model_layer import build_model_layers
from layers.errors import BundleError
from tests.support.bundles import DAMAGES, write_bundle


def test_a_bundle_becomes_a_layer_mounted_at_its_name(bundles: Path, tmp_path: Path) -> None:
    (bundles / "tiny/LICENSE.txt").write_text("free")
    (bundles / "tiny/report.html").write_text("not served")
    (bundles / ".aside").mkdir()
    [path] = build_model_layers(bundles, tmp_path / "out")
    assert path == tmp_path / "out/model-tiny.zip"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert archive.read("models/tiny/model.json") == (bundles / "tiny/model.json").read_bytes()
    assert names == [f"models/tiny/{name}" for name in ("LICENSE.txt", "labels.txt", "model.json", "model.tflite")]


def test_two_models_stand_side_by_side_and_the_same_input_gives_the_same_bytes(bundles: Path, tmp_path: Path) -> None:
    write_bundle(bundles, "channels_int8")
    first = [path.read_bytes() for path in build_model_layers(bundles, tmp_path / "one")]
    assert len(first) == 2
    assert first == [path.read_bytes() for path in build_model_layers(bundles, tmp_path / "two")]


def test_the_layer_of_a_model_that_is_gone_goes_too(bundles: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build_model_layers(bundles, out)
    (bundles / "tiny").rename(bundles / "other")
    (out / "runtime-py313-x86_64.zip").write_bytes(b"stays")
    build_model_layers(bundles, out)
    assert sorted(path.name for path in out.iterdir()) == ["model-other.zip", "runtime-py313-x86_64.zip"]


def test_no_models_no_layers(tmp_path: Path) -> None:
    assert build_model_layers(tmp_path / "absent", tmp_path / "out") == []


@pytest.mark.parametrize("damage", ["card missing", "model file truncated", "model file with one bit flipped"])
def test_a_damaged_bundle_is_refused_by_name_and_leaves_nothing(bundles: Path, tmp_path: Path, damage: str) -> None:
    break_it: Callable[[Path], Any] = DAMAGES[damage][0]
    break_it(bundles / "tiny")
    with pytest.raises(BundleError, match=r"models/tiny: model 'tiny': model\.(json|tflite) is") as caught:
        build_model_layers(bundles, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "out").glob("*")) == []


def test_a_name_that_no_layer_can_have_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "models", name="my model")
    with pytest.raises(BundleError, match="rename the folder"):
        build_model_layers(tmp_path / "models", tmp_path / "out")
