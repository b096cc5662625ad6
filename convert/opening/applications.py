"""The networks of keras.applications, with ImageNet's weights, weights from a file, or random weights."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from convert.contract.findings import Finding
from convert.errors import ConvertError
from convert.opening.functions import first_line
from convert.opening.keras_files import from_keras, open_keras
from convert.opening.networks import NETWORKS, Network
from convert.options import Options
from convert.sources import IMAGENET_OUTPUTS, Source, sha256_of

SEED = 0
_CLASS_INDEX = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
_CLASS_INDEX_MD5 = "c2c37ea517e94d9795004a39431a14cb"  # as keras.applications.imagenet_utils states it
_NO_NETWORK = (
    "Download {what} on a machine with a network and give it with {option} FILE, "
    "or use --weights none, which is untrained"
)
_WHOLE = "give a whole model as SOURCE, without --weights"


def open_application(name: str, options: Options) -> Source:
    """A key of NETWORKS with `options.weights`: "imagenet", "none" for random ones, or a file; raises ConvertError."""
    network, weights = NETWORKS[name], options.weights
    if weights == "imagenet":
        return _source(name, _imagenet(name, _shape(network, options)), {"weights": "imagenet"}, options)
    if weights == "none":
        keras.utils.set_random_seed(SEED)
        model = _build(name, _shape(network, options))
        return _source(name, model, {"weights": "none", "seed": SEED}, options, trained=False)
    path = Path(weights)
    if not path.is_file():
        raise ConvertError(
            f"--weights {weights}: no such file; give imagenet, none, or a .weights.h5, .h5 or .keras file"
        )
    origin = {"weights": path.name, "weights_sha256": sha256_of(path)}
    if _holds_whole_model(path):
        return _known(name, _whole(name, open_keras(path, options)), origin)
    return _source(name, _from_weights(name, path, _shape(network, options)), origin, options)


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


def _shape(network: Network, options: Options) -> tuple[int, int, int]:
    """Height and width in px, channels."""
    width, height = options.input_size or (network.side, network.side)
    return height, width, 3


def _build(name: str, shape: tuple[int, int, int], classes: int = IMAGENET_OUTPUTS[0]) -> Any:
    """The network with random weights; raises ConvertError for a size that it does not take."""
    builder = getattr(keras.applications, NETWORKS[name].builder)
    try:
        return builder(weights=None, input_shape=shape, classes=classes)
    except ValueError as error:
        raise ConvertError(f"{name} cannot take {shape[1]}x{shape[0]} px: {first_line(error)}; use --input-size") from (
            error
        )


def _imagenet(name: str, shape: tuple[int, int, int]) -> Any:
    network = NETWORKS[name]
    try:
        builder = getattr(keras.applications, network.builder)
        published = builder(weights="imagenet", input_shape=(network.side, network.side, 3))  # Keras verifies the hash
    except Exception as error:
        file, host = _file_and_host(error)
        remedy = _NO_NETWORK.format(what=file or f"the weights of {name}", option="--weights")
        raise ConvertError(f"the ImageNet weights cannot be downloaded from {host}. {remedy}") from error
    if shape == (network.side, network.side, 3):
        return published
    model = _build(name, shape)
    try:
        model.set_weights(published.get_weights())
    except ValueError as error:
        raise ConvertError(
            f"ImageNet's weights of {name} are for {network.side}x{network.side} px: leave --input-size out"
        ) from error
    return model


def _file_and_host(error: Exception) -> tuple[str, str]:
    """The file's name and the address in an error of Keras's download."""
    url = next((word.rstrip(":.,") for word in str(error).split() if word.startswith("http")), "")
    return url.rpartition("/")[2], url or "Keras's address"


def _from_weights(name: str, path: Path, shape: tuple[int, int, int]) -> Any:
    model = _build(name, shape)
    classes = _classes(name, path, model)
    if classes != IMAGENET_OUTPUTS[0]:
        model = _build(name, shape, classes)
    try:
        model.load_weights(path)
        return model
    except Exception as error:
        raise ConvertError(
            f"{path} does not hold weights of {name} as Keras applications builds it: {_WHOLE}"
        ) from error


def _classes(name: str, path: Path, model: Any) -> int:
    """The number of classes of the weights in a file: it is all in which they differ from the network of 1,000."""
    with h5py.File(path, "r") as file:
        shapes: list[tuple[int, ...]] = []
        file.visititems(lambda _, item: shapes.append(item.shape) if _is_weight(item) else None)
    built = Counter(tuple(weight.shape) for weight in model.weights if "float" in weight.dtype)
    missing, extra = sorted((built - Counter(shapes)).elements()), sorted((Counter(shapes) - built).elements())
    if not missing and not extra:
        return IMAGENET_OUTPUTS[0]
    if len(missing) == len(extra) > 0 and (classes := {shape[-1] for shape in extra}) and len(classes) == 1:
        (n,) = classes
        if sorted((*shape[:-1], n) for shape in missing) == extra and {shape[-1] for shape in missing} == {1000}:
            return int(n)
    raise ConvertError(
        f"{path} does not hold weights of {name}: {len(missing)} of its weights are missing, {len(extra)} are others; "
        f"{_WHOLE}, or give --input-size if it was trained on pictures of another size"
    )


def _is_weight(item: Any) -> bool:
    return isinstance(item, h5py.Dataset) and np.issubdtype(item.dtype, np.floating) and not item.name.endswith("seed")


def _holds_whole_model(path: Path) -> bool:
    if re.match(rb"PK\x03\x04", path.read_bytes()[:4]):
        return True
    try:
        with h5py.File(path, "r") as file:
            return "model_config" in file.attrs
    except OSError as error:
        raise ConvertError(f"{path} is not an HDF5 file: give a .weights.h5, .h5 or .keras file") from error


def _whole(name: str, source: Source) -> Source:
    """A whole model from a file: what it shows itself stands before what the network's publisher says."""
    if source.pixels:
        return source
    network = NETWORKS[name]
    reason = f"the file shows no scaling, and keras.applications.{network.module} takes pixels so"
    return replace(source, pixels=Finding(network.pixels, "assumption", reason))


def _source(name: str, model: Any, origin: dict[str, Any], options: Options, trained: bool = True) -> Source:
    about = {"kind": "keras.applications", "network": name, **origin}
    published = NETWORKS[name].published
    return _known(name, from_keras(model, name, about, options, pixels=published, trained=trained), {})


def _known(name: str, source: Source, origin: dict[str, Any]) -> Source:
    """The source with the labels and the crop of ImageNet, if it has so many classes."""
    return replace(
        source,
        name=name,
        origin={**source.origin, **origin},
        labels=imagenet_labels() if source.trained and source.outputs == IMAGENET_OUTPUTS[0] else None,
        crop=NETWORKS[name].crop if source.outputs in IMAGENET_OUTPUTS else None,
    )
