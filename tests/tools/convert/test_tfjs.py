"""TensorFlow.js layers models, written here as tfjs and its converter write them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from convert.contract.findings import PREPROCESS
from convert.errors import ConvertError
from convert.opening.tfjs import open_tfjs
from convert.options import Options
from convert.pictures import read_pixels
from convert.pipeline import convert
from convert.verify import served
from tests.support.paths import DATA
from tests.tools.convert.conftest import Run

SIDE = 12
Described = dict[str, Any]


def network() -> Any:
    """A Sequential of two networks, as Teachable Machine's is, with random weights."""
    tf_keras.utils.set_random_seed(2)
    inputs = tf_keras.Input((SIDE, SIDE, 3))
    x = tf_keras.layers.Conv2D(6, 3, strides=2, name="first")(inputs)
    x = tf_keras.layers.BatchNormalization(name="norm")(tf_keras.layers.DepthwiseConv2D(3, name="wide")(x))
    base = tf_keras.Model(inputs, tf_keras.layers.GlobalAveragePooling2D()(tf_keras.layers.ReLU(6)(x)))
    head = tf_keras.Sequential(
        [tf_keras.layers.Dense(8, input_shape=(6,), name="one"), tf_keras.layers.Dense(3, activation="softmax")]
    )
    model = tf_keras.Sequential([base, head])
    model.build((None, SIDE, SIDE, 3))
    return model


def stored(values: Any, form: str) -> tuple[bytes, Any, dict[str, Any]]:
    """A weight as tfjs-converter's quantization.py stores it: its bytes, what they mean, the manifest's entry."""
    if form == "float32":
        return values.tobytes(), values, {}
    if form == "float16":
        return values.astype("<f2").tobytes(), values.astype("<f2").astype("f4"), {"quantization": {"dtype": form}}
    least, scale = float(values.min()), float(np.ptp(values)) / np.iinfo(form).max or 1.0
    steps = np.round((values - least) / scale).astype(form)
    entry = {"quantization": {"dtype": form, "min": least, "scale": scale}}
    return steps.tobytes(), (steps * scale + least).astype("f4"), entry


def written(model: Any, folder: Path, form: str = "float32", wrapped: bool = True, shard: int = 500) -> Path:
    """The model as a folder of tfjs; puts what the stored bytes mean into the model, to compare with."""
    folder.mkdir()
    entries, data = [], b""
    for weight in model.weights:
        part, meant, more = stored(weight.numpy(), form)
        weight.assign(meant)
        layer, _, name = weight.name.partition("/")
        entries.append(
            {"name": f"{layer}/{name.split('/')[-1][:-2]}", "shape": [*weight.shape], "dtype": "float32"} | more
        )
        data += part
    names = [f"group1-shard{i + 1}" for i in range(-(-len(data) // shard))]
    for i, name in enumerate(names):
        (folder / name).write_bytes(data[i * shard : (i + 1) * shard])
    config = json.loads(model.to_json())
    topology = {"keras_version": "2.7.0", "backend": "tensorflow", "model_config": config} if wrapped else config
    described = {"format": "layers-model", "modelTopology": topology}
    described["weightsManifest"] = [{"paths": names, "weights": entries}]
    (folder / "model.json").write_text(json.dumps(described))
    return folder


def opened(path: Path) -> Any:
    return open_tfjs(path, Options(str(path)))


@pytest.mark.parametrize("form", ["float32", "float16", "uint8", "uint16"])
@pytest.mark.parametrize("wrapped", [True, False], ids=["by the converter", "by tfjs"])
def test_every_form_of_weights(form: str, wrapped: bool, tmp_path: Path) -> None:
    model = network()
    folder = written(model, tmp_path / "m", form, wrapped)
    x = np.random.default_rng(0).uniform(-1, 1, (1, SIDE, SIDE, 3)).astype(np.float32)
    expected = np.asarray(model(x, training=False)).reshape(-1)
    for path in (folder, folder / "model.json"):
        np.testing.assert_allclose(opened(path).scores(x), expected, atol=1e-4)


def test_a_model_that_tfjs_itself_wrote() -> None:
    """Written by tfjs 4.22 with random weights; it answered so to the sine of 0.37 i, the values counted from 0."""
    source = opened(DATA / "tfjs")
    tensor = np.sin(np.arange(32 * 32 * 3) * 0.37).astype(np.float32).reshape(1, 32, 32, 3)
    answered = [0.3379707336425781, 0.4008174538612366, 0.2612118124961853]
    np.testing.assert_allclose(source.scores(tensor), answered, atol=1e-5)


def test_files_that_npm_gave_a_suffix(tmp_path: Path) -> None:
    folder = written(network(), tmp_path / "m")
    for path in folder.glob("group1-*"):
        path.rename(path.with_name(f"{path.name}.bin"))
    assert opened(folder).outputs == 3


def test_teachable_machines_folder_has_labels_and_scaling(tmp_path: Path) -> None:
    model = network()
    folder = written(model, tmp_path / "my model", wrapped=False)
    metadata = {"tmVersion": "2.4.4", "packageName": "@teachablemachine/image", "labels": ["a", "b", "c"]}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    source = opened(folder)
    assert (source.pixels.value, source.pixels.kind) == (PREPROCESS["tf"], "metadata")
    convert(source, Options(str(folder), quantize="float32", out=tmp_path / "models"))
    classifier = served(tmp_path / "models" / "my model")
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    expected = np.asarray(model(pixels[np.newaxis] / np.float32(127.5) - 1)).reshape(-1)
    np.testing.assert_allclose(classifier.scores(pixels), expected, atol=0.01)
    assert classifier.labels == ("a", "b", "c")


def test_other_models_of_teachable_machine(tmp_path: Path) -> None:
    folder = written(network(), tmp_path / "m")
    (folder / "metadata.json").write_text('{"tmVersion": "2.4.4", "packageName": "@teachablemachine/pose"}')
    with pytest.raises(ConvertError, match="only Teachable Machine's image models"):
        opened(folder)


def manifest(described: Described) -> Any:
    return described["weightsManifest"][0]


def one_weight_less(described: Described) -> None:
    entry = manifest(described)["weights"][-1]
    entry["name"] = "other/bias"


def another_shape(described: Described) -> None:
    entry = manifest(described)["weights"][0]
    entry["shape"] = entry["shape"][::-1]


BROKEN: dict[str, tuple[Callable[[Described], Any], str]] = {
    "a graph model": (lambda d: d.update(format="graph-model"), "is a TensorFlow.js graph model"),
    "a graph model by its nodes": (lambda d: d.update(modelTopology={"node": []}), "is a TensorFlow.js graph model"),
    "another JSON": (lambda d: d.pop("modelTopology"), "is no TensorFlow.js model"),
    "no network": (lambda d: d.update(modelTopology={}), "names no network"),
    "no manifest": (lambda d: d.pop("weightsManifest"), "has no weightsManifest"),
    "a missing file": (
        lambda d: manifest(d)["paths"].append("group1-shard99"),
        "which model.json names, cannot be read",
    ),
    "one file too few": (lambda d: manifest(d)["paths"].pop(), "the manifest says"),
    "a file elsewhere": (lambda d: manifest(d).update(paths=["../secret"]), "expected one in the same folder"),
    "an absolute path": (lambda d: manifest(d).update(paths=["/etc/passwd"]), "expected one in the same folder"),
    "an address": (lambda d: manifest(d).update(paths=["http://x/y"]), "expected one in the same folder"),
    "another name": (one_weight_less, r"1 are missing \(dense\w*/bias\), 1 are too many \(other/bias\)"),
    "another shape": (another_shape, "has the shape"),
    "text": (lambda d: manifest(d)["weights"][0].update(dtype="string"), "of type string"),
    "a shape that is none": (lambda d: manifest(d)["weights"][0].update(shape=[-1]), r"of shape \[-1\]"),
    "a group that is none": (lambda d: d.update(weightsManifest=[1]), "has no weightsManifest"),
    "weights that are none": (lambda d: manifest(d).update(weights=[1]), "its weightsManifest cannot be read"),
    "the same name twice": (
        lambda d: manifest(d)["weights"][-1].update(name=manifest(d)["weights"][0]["name"]),
        "names the weight 'first/kernel' twice",
    ),
    "code": (
        lambda d: d["modelTopology"].update(model_config={"class_name": "Lambda", "config": {"name": "x"}}),
        "which is not run",
    ),
    "an unknown layer": (
        lambda d: d["modelTopology"]["model_config"]["config"]["layers"].append({"class_name": "Odd", "config": {}}),
        "Keras cannot build the network",
    ),
}


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_folder_that_is_broken_or_another(change: Callable[[Described], Any], message: str, tmp_path: Path) -> None:
    folder = written(network(), tmp_path / "m")
    described = json.loads((folder / "model.json").read_text())
    change(described)
    (folder / "model.json").write_text(json.dumps(described))
    with pytest.raises(ConvertError, match=message) as caught:
        opened(folder)
    assert "\n" not in str(caught.value)


def pixels_in(folder: Path, classifier: Any) -> list[Any]:
    return [read_pixels(path, classifier.card.input) for path in sorted(folder.glob("*.JPEG"))]


def test_a_trained_mobilenet_of_npm_in_one_command(
    test_data: Path, imagenet_sample: Path, run: Callable[..., Run], tmp_path: Path
) -> None:
    labels = tmp_path / "nsfw.txt"
    labels.write_text("Drawing\nHentai\nNeutral\nPorn\nSexy\n")
    some = tmp_path / "pictures"
    some.mkdir()
    for picture in sorted(imagenet_sample.glob("*.JPEG"))[::10]:
        (some / picture.name).symlink_to(picture.resolve())
    path = test_data / "tfjs" / "nsfwjs_mobilenet_v2"
    options = ("--labels", labels, "--preprocess", "unit", "--validation", some, "--quantize", "float32")
    result = run(path, *options, "--out", tmp_path / "models")
    assert result.code == 0, result.err
    classifier = served(tmp_path / "models" / "nsfwjs_mobilenet_v2")
    assert classifier.card.verification["top1_agreement"] == 1
    assert classifier.card.verification["max_score_difference"] < 0.01
    best = [int(classifier.scores(pixels).argmax()) for pixels in pixels_in(some, classifier)]
    assert best.count(2) >= 8  # ordinary pictures are "Neutral": a weight at a wrong place would not say so
