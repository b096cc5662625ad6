"""Whole Keras files: those of Keras 2, of other types, and those that are refused before anything of them runs."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tf_keras

from convert.contract.findings import PREPROCESS
from convert.errors import ConvertError
from convert.opening.keras_files import from_keras, open_keras
from convert.opening.keras_layers import check
from convert.options import Options
from convert.sources import Source
from tests.tools.convert.conftest import Run

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
Cli = Callable[..., Run]
SIDE = 12


def opened(path: Path, **options: Any) -> Source:
    return open_keras(path, Options(str(path), **options))


def assert_same(source: Source, model: Any) -> None:
    """The source answers as the model does, on the tensors that the network is given."""
    x = np.random.default_rng(0).uniform(0, 1, (1, *source.input_shape)).astype(np.float32)
    np.testing.assert_allclose(source.scores(x), np.asarray(model(x, training=False)).reshape(-1), atol=1e-4)


def small(library: Any, *first: Any, dense: int = 3) -> Any:
    """A Sequential, whose first layers are given."""
    library.utils.set_random_seed(1)
    layers = library.layers
    return library.Sequential(
        [*first, layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(dense, activation="softmax")]
    )


def with_input(library: Any) -> Any:
    return small(library, library.layers.Input((SIDE, SIDE, 3)))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras 3", "keras 2"])
def test_files_of_both_kerases_in_both_formats(library: Any, suffix: str, tmp_path: Path) -> None:
    model = with_input(library)
    model.save(tmp_path / f"m{suffix}")
    assert_same(opened(tmp_path / f"m{suffix}"), model)


def test_a_zip_that_keras_2_13_wrote(tmp_path: Path) -> None:
    """It names its modules otherwise than tf_keras does."""
    model = with_input(tf_keras)
    model.save(tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as new, zipfile.ZipFile(tmp_path / "m.keras", "w") as old:
        for name in new.namelist():
            data = new.read(name)
            if name == "metadata.json":
                data = b'{"keras_version": "2.13.1", "date_saved": "2023-08-01@12:00:00"}'
            old.writestr(name, data.replace(b'"tf_keras', b'"keras') if name.endswith(".json") else data)
    assert_same(opened(tmp_path / "m.keras"), model)


def test_an_input_with_a_name(tmp_path: Path) -> None:
    x = keras.Input((SIDE, SIDE, 3), name="image")
    model = keras.Model({"image": x}, with_input(keras)(x))
    model.save(tmp_path / "m.keras")
    source = opened(tmp_path / "m.keras")
    tensor = np.random.default_rng(0).uniform(0, 1, (1, SIDE, SIDE, 3)).astype(np.float32)
    expected = np.asarray(model({"image": tensor}, training=False)).reshape(-1)
    np.testing.assert_allclose(source.scores(tensor), expected, atol=1e-4)


def test_a_suffix_in_capitals(tmp_path: Path) -> None:
    model = with_input(keras)
    model.save(tmp_path / "m.keras")
    (tmp_path / "m.keras").rename(tmp_path / "M.KERAS")
    assert_same(opened(tmp_path / "M.KERAS"), model)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras 3", "keras 2"])
def test_a_sequential_that_was_built_by_its_first_pictures(library: Any, suffix: str, tmp_path: Path) -> None:
    model = small(library)
    model(np.zeros((2, SIDE, SIDE, 3), np.float32))
    model.save(tmp_path / f"m{suffix}")
    source = opened(tmp_path / f"m{suffix}", input_size=(SIDE, SIDE))
    assert source.input_shape == (SIDE, SIDE, 3)
    assert_same(source, model)


def without_shape(path: Path) -> Path:
    """The HDF5 file of Keras 2 without a word of its input's shape, as versions before 2.2.3 wrote it."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        layers = config["config"]["layers"]
        config["config"] = [layer for layer in layers if layer["class_name"] != "InputLayer"]
        file.attrs["model_config"] = json.dumps(config)
    return path


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sequential_that_does_not_say_its_size(channels: int, tmp_path: Path) -> None:
    model = small(tf_keras, tf_keras.layers.Input((SIDE, SIDE, channels)))
    model.save(tmp_path / "m.h5")
    path = without_shape(tmp_path / "m.h5")
    with pytest.raises(ConvertError, match="--input-size"):
        opened(path)
    source = opened(path, input_size=(SIDE, SIDE))
    assert source.input_shape == (SIDE, SIDE, channels)
    assert_same(source, model)


def test_operations_of_tensorflow_in_a_file_of_keras_2(tmp_path: Path) -> None:
    inputs = tf_keras.Input((SIDE, SIDE, 3))
    x = tf_keras.applications.resnet50.preprocess_input(inputs)  # slices, bias_add
    model = tf_keras.Model(inputs, with_input(tf_keras)(x))
    model.save(tmp_path / "m.h5")
    source = opened(tmp_path / "m.h5")
    assert_same(source, model)
    assert source.pixels is not None
    assert (source.pixels.value, source.pixels.kind) == (PREPROCESS["none"], "graph")


TYPES = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")


@pytest.mark.parametrize(
    ("library", "policy"), [*((keras, name) for name in TYPES), *((tf_keras, name) for name in TYPES[:3])]
)
def test_other_types_are_put_to_float32(library: Any, policy: str, tmp_path: Path) -> None:
    setting = library.mixed_precision.set_global_policy
    setting(policy)
    try:
        model = with_input(library)
        model.save(tmp_path / "m.keras")
    finally:
        setting("float32")
    source = opened(tmp_path / "m.keras")
    assert policy in source.notes[0]
    x = np.random.default_rng(0).uniform(0, 1, (1, *source.input_shape)).astype(np.float32)
    np.testing.assert_allclose(source.scores(x), np.asarray(model(x), np.float32).reshape(-1), atol=0.01)


def test_several_outputs_have_names(tmp_path: Path) -> None:
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs))
    kinds = keras.layers.Dense(4, activation="softmax", name="kinds")(x)
    model = keras.Model(inputs, [kinds, keras.layers.Dense(3, activation="softmax", name="colours")(x)])
    model.save(tmp_path / "m.keras")
    with pytest.raises(ConvertError, match=r"several rows of scores.*colours.*kinds"):
        opened(tmp_path / "m.keras")
    assert opened(tmp_path / "m.keras", output="kinds").outputs == 4


def test_two_inputs_are_named() -> None:
    one, two = keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 1), name="right")
    x = keras.layers.Concatenate()([one, two])
    with pytest.raises(ConvertError, match=r"2 inputs, left \(\?, 8, 8, 3\), right \(\?, 8, 8, 1\)"):
        from_keras(keras.Model([one, two], keras.layers.Flatten()(x)), "m", {})


def write_a_file(x: Any) -> Any:
    with open(os.environ["OPENING_MARK"], "w") as file:
        file.write("run")
    return x


def with_lambda(library: Any) -> Any:
    return small(library, library.layers.Input((SIDE, SIDE, 3)), library.layers.Lambda(write_a_file, name="mine"))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras 3", "keras 2"])
def test_code_in_a_file_never_runs(
    library: Any, suffix: str, run: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    monkeypatch.setenv("OPENING_MARK", str(mark))
    with_lambda(library).save(tmp_path / f"m{suffix}")
    assert mark.exists(), "the layer has to run where it is built, or this test shows nothing"
    mark.unlink()
    result = run(tmp_path / f"m{suffix}", "--out", tmp_path / "models")
    assert (result.code, mark.exists(), (tmp_path / "models").exists()) == (2, False, False)
    assert "Lambda 'mine', which is not run: call model.export('DIR')" in result.err


def node(kind: str, **more: Any) -> dict[str, Any]:
    layer = {"class_name": kind, **more}
    return {"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}


REFUSED = {
    "a module of this machine": (node("Popen", module="subprocess", config={}), "custom class, 'Popen' of subprocess"),
    "a module of Keras that reads files": (
        node("function", module="keras.utils", config="get_file"),
        "custom class, 'function' of keras.utils",
    ),
    "a function that reads files": (
        node("Activation", config={"activation": node("function", module="tensorflow.io", config="read_file")}),
        "of tensorflow.io",
    ),
    "a custom class": (node("Mine", module=None, registered_name="Custom>Mine", config={}), "'Custom>Mine'"),
    "a custom class in HDF5": (node("Custom>Mine", config={}), "'Custom>Mine'"),
    "an operation that writes files": (
        node("TFOpLambda", config={"name": "w", "function": "io.write_file"}),
        "'w' calls io.write_file",
    ),
    "a library that is loaded": (
        node("TFOpLambda", config={"name": "w", "function": "load_op_library"}),
        "calls load_op_library",
    ),
    "Python in a graph": (node("TFOpLambda", config={"function": "numpy_function"}), "calls numpy_function"),
    "a graph of TensorFlow 1": (node("TensorFlowOpLayer", config={"name": "op"}), "calls an operation of TensorFlow 1"),
    "a method": (node("InstanceMethod", config={"name": "eval", "attr_name": "eval"}), "InstanceMethod 'eval'"),
    "a SavedModel as a layer": (node("TFSMLayer", module="keras.layers", config={"filepath": "/x"}), "TFSMLayer"),
    "PyTorch": (node("TorchModuleWrapper", module="keras.layers", config={}), "TorchModuleWrapper"),
    "8 bits of Keras": (
        node(
            "Dense", config={"dtype": {"class_name": "QuantizedDTypePolicy", "config": {"name": "int8_from_float32"}}}
        ),
        r"quantised by Keras already \(int8_from_float32\)",
    ),
    "training for 8 bits": (node("QuantizeWrapperV2", module="tensorflow_model_optimization.x", config={}), "of tfmot"),
    "pruning": (node("PruneLowMagnitude", config={}), "strip_pruning"),
    "text": (node("Embedding", config={}), "its first layers have Embedding"),
    "a signal": (node("Conv1D", module="keras.layers", config={}), "its first layers have Conv1D"),
}


@pytest.mark.parametrize(("config", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_before_it_is_loaded(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConvertError, match=message):
        check(config, Path("m.h5"))


def test_layers_for_sequences_behind_pictures_are_no_reason() -> None:
    layers = [{"class_name": kind, "config": {}} for kind in ("InputLayer", "Conv2D", "Reshape", "LSTM")]
    check({"class_name": "Sequential", "config": {"layers": layers}}, Path("m.h5"))


def zipped(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return path


def cut_off(path: Path) -> Path:
    with_input(keras).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def encrypted(path: Path) -> Path:
    with_input(keras).save(path)
    data = bytearray(path.read_bytes())
    for start, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(start)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(start, at + 1)
    path.write_bytes(data)
    return path


def weights_alone(path: Path) -> Path:
    path = path.with_name("m.weights.h5")
    with_input(keras).save_weights(path)
    return path


BROKEN: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "a zip cut off": (cut_off, "m.keras", "is no HDF5 file, or a damaged one|is damaged"),
    "HDF5 cut off": (cut_off, "m.h5", "is no HDF5 file, or a damaged one"),
    "an encrypted zip": (encrypted, "m.keras", "is encrypted"),
    "another zip": (lambda path: zipped(path, a_txt="x"), "m.keras", "lacks config.json"),
    "no JSON": (lambda path: zipped(path, config_json="{"), "m.keras", "is no JSON"),
    "deep JSON": (lambda path: zipped(path, config_json="[" * 200_000), "m.keras", "is no JSON"),
    "another JSON": (lambda path: zipped(path, config_json="[]"), "m.keras", "names no network"),
    "a bomb": (lambda path: zipped(path, config_json=" " * (65 << 20)), "m.keras", "unpacks to more than"),
    "weights alone": (weights_alone, "m.h5", "is no Keras model"),
}


@pytest.mark.parametrize(("build", "name", "message"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_broken_or_another(
    build: Callable[[Path], Path], name: str, message: str, tmp_path: Path
) -> None:
    path = build(tmp_path / name)
    with pytest.raises(ConvertError, match=message) as caught:
        opened(path)
    assert "\n" not in str(caught.value)


def test_a_base_without_scaling_is_taken_as_its_name_says(tmp_path: Path) -> None:
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35)
    base.name = "vgg16"  # its mode differs from MobileNet's and from what is assumed of any model
    model = keras.Sequential([base, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    found = opened(tmp_path / "m.keras").pixels
    assert found is not None
    assert (found.value, found.kind) == (PREPROCESS["caffe"], "assumption")
    assert "its base is called vgg16, whose preprocess_input is caffe" in found.reason


def test_a_base_with_scaling_before_it_keeps_that(tmp_path: Path) -> None:
    inputs = keras.Input((SIDE, SIDE, 3))
    base = with_input(keras)
    functional = keras.Model(base.inputs, base.outputs, name="resnet50")
    model = keras.Model(inputs, functional(keras.layers.Rescaling(1 / 255)(inputs)))
    model.save(tmp_path / "m.keras")
    found = opened(tmp_path / "m.keras").pixels
    assert found is not None
    assert (found.value, found.kind) == (PREPROCESS["none"], "graph")
