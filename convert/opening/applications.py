"""Inception v3 from Keras applications, with ImageNet's weights, weights from a file, or random weights."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import keras

from convert.contract.findings import PREPROCESS, Finding
from convert.errors import ConvertError
from convert.opening.keras_files import from_keras, open_keras
from convert.options import Options
from convert.sources import IMAGENET_CROP, IMAGENET_OUTPUTS, Source, sha256_of

SEED = 0
_CLASS_INDEX = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
_CLASS_INDEX_MD5 = "c2c37ea517e94d9795004a39431a14cb"  # as keras.applications.imagenet_utils states it
_NO_NETWORK = (
    "Download {what} on a machine with a network and give it with {option} FILE, "
    "or use --weights none, which is untrained"
)


def open_inception(options: Options) -> Source:
    """The network with `options.weights`: "imagenet", "none" for random ones, or a file; raises ConvertError."""
    weights = options.weights
    if weights == "imagenet":
        return _source(_imagenet(), {"weights": "imagenet"}, options)
    if weights == "none":
        keras.utils.set_random_seed(SEED)
        model = keras.applications.InceptionV3(weights=None)
        return _source(model, {"weights": "none", "seed": SEED}, options, trained=False)
    path = Path(weights)
    if not path.is_file():
        raise ConvertError(
            f"--weights {weights}: no such file; give imagenet, none, or a .weights.h5, .h5 or .keras file"
        )
    origin = {"weights": path.name, "weights_sha256": sha256_of(path)}
    if path.suffix == ".keras" or _holds_whole_model(path):
        return _known(open_keras(path, options), origin)
    return _source(_from_weights(path), origin, options)


def imagenet_labels() -> tuple[str, ...] | None:
    """The 1,000 labels as Keras publishes them, verified by their hash; None if they cannot be downloaded."""
    try:
        path = keras.utils.get_file(
            "imagenet_class_index.json", _CLASS_INDEX, cache_subdir="models", file_hash=_CLASS_INDEX_MD5
        )
        index = json.loads(Path(path).read_text(encoding="utf-8"))
    except Exception:  # optional: without them the classes are numbered, and a note says so
        return None
    return tuple(index[str(i)][1].replace("_", " ") for i in range(IMAGENET_OUTPUTS[0]))


def _imagenet() -> Any:
    try:
        return keras.applications.InceptionV3(weights="imagenet")  # Keras verifies the file's hash
    except Exception as error:
        remedy = _NO_NETWORK.format(what="inception_v3_weights_tf_dim_ordering_tf_kernels.h5", option="--weights")
        raise ConvertError(f"the ImageNet weights cannot be downloaded from {_host(error)}. {remedy}") from error


def _host(error: Exception) -> str:
    words = [word for word in str(error).split() if word.startswith("http")]
    return words[0].rstrip(":.,") if words else "Keras's address"


def _from_weights(path: Path) -> Any:
    try:
        model = keras.applications.InceptionV3(weights=None, classes=_classes(path))
        model.load_weights(path)
        return model
    except ConvertError:
        raise
    except Exception as error:
        raise ConvertError(
            f"{path} does not hold weights of Inception v3 as Keras applications builds it: "
            "give a whole model as SOURCE, without --weights"
        ) from error


def _classes(path: Path) -> int:
    """The width of the last layer in a weights file: its only two-dimensional weights."""
    widths = []
    with h5py.File(path, "r") as file:
        file.visititems(lambda _, item: widths.append(item.shape[1]) if len(getattr(item, "shape", ())) == 2 else None)
    if len(widths) != 1:
        raise ConvertError(
            f"{path} does not hold weights of Inception v3: expected one dense layer, found {len(widths)}; "
            "give a whole model as SOURCE, without --weights"
        )
    return int(widths[0])


def _holds_whole_model(path: Path) -> bool:
    try:
        with h5py.File(path, "r") as file:
            return "model_config" in file.attrs
    except OSError as error:
        raise ConvertError(f"{path} is not an HDF5 file: give a .weights.h5, .h5 or .keras file") from error


def _source(model: Any, origin: dict[str, Any], options: Options, trained: bool = True) -> Source:
    about = {"kind": "keras.applications", "network": "inception_v3", **origin}
    return _known(from_keras(model, "inception_v3", about, options, trained=trained), {})


def _known(source: Source, origin: dict[str, Any]) -> Source:
    """The source with what is true of every Inception v3 of Keras applications, unless the model shows another."""
    labels = imagenet_labels() if source.trained and source.outputs == IMAGENET_OUTPUTS[0] else None
    published = Finding(PREPROCESS["tf"], "source", "keras.applications.inception_v3 takes pixels so")
    return replace(
        source,
        name="inception_v3",
        origin={**source.origin, **origin},
        pixels=source.pixels or published,
        labels=labels,
        crop=IMAGENET_CROP if source.outputs in IMAGENET_OUTPUTS else None,
    )
