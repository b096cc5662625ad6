"""TensorFlow.js layers models: model.json, the network and a list of weights, and the weights' files beside it.

Source of the format: tfjs-core's io/types.ts (ModelJSON, WeightsManifestConfig) and tfjs-converter's
write_weights.py and quantization.py.
"""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.contract.findings import PREPROCESS, Finding, Preprocess
from convert.errors import ConvertError
from convert.opening import keras_layers, publishers
from convert.opening.functions import first_line
from convert.opening.keras_config import in_float32, parsed
from convert.opening.keras_files import from_keras
from convert.options import Options
from convert.sources import Source, sha256_of

MODEL = "model.json"
_METADATA = "metadata.json"
_TYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint8": "u1", "uint16": "<u2", "bool": "u1"}
_AGAIN = "download the whole folder again"


def open_tfjs(path: Path, options: Options) -> Source:
    """Read a layers model from its folder, or from its model.json; raises ConvertError."""
    folder, file = (path, path / MODEL) if path.is_dir() else (path.parent, path)
    described = parsed(file.read_bytes(), file)
    config = _network(described, file)
    keras_layers.check(config, file)
    config, notes = in_float32(config)
    try:
        weights = dict(_weights(described.get("weightsManifest"), folder, file))
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ConvertError(f"{file} is damaged: its weightsManifest cannot be read; {_AGAIN}") from error
    model = _built(config, file)
    _fill(model, weights, file)
    pixels, labels = _published(folder / _METADATA)
    name = folder.resolve().name if path.is_dir() or path.name == MODEL else path.stem
    origin = {"kind": "tfjs", "file": name, "sha256": sha256_of(folder)}
    pixels = pixels or publishers.pixels_of(config)
    return from_keras(model, name, origin, options, pixels=pixels, labels=labels, notes=notes)


def _network(described: Any, file: Path) -> dict[str, Any]:
    """The Keras configuration in a model.json; raises ConvertError."""
    topology = described.get("modelTopology") if isinstance(described, dict) else None
    if not isinstance(topology, dict):
        raise ConvertError(
            f"{file} is no TensorFlow.js model: it has no modelTopology; give the folder that tfjs wrote"
        )
    if described.get("format") == "graph-model" or "node" in topology:
        raise ConvertError(
            f"{file} is a TensorFlow.js graph model, from which the layers are gone: convert the SavedModel or Keras "
            "file that it was made from, or write a layers model (tensorflowjs_converter "
            "--output_format=tfjs_layers_model)"
        )
    config = topology.get("model_config", topology)
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise ConvertError(f"{file} is no TensorFlow.js layers model: its modelTopology names no network; {_AGAIN}")
    return config


def _built(config: dict[str, Any], file: Path) -> Any:
    """The network without its weights, by tf_keras, which continues what tfjs writes, or else by Keras 3."""
    import keras
    import tf_keras

    text, first = json.dumps({"class_name": config["class_name"], "config": config["config"]}), None
    for library in (tf_keras, keras):
        try:
            return library.models.model_from_json(text)
        except Exception as error:  # Keras raises a dozen kinds, each with a page of text
            first = first or error
    raise ConvertError(
        f"Keras cannot build the network of {file}: {first_line(first or Exception())}. "
        "Convert the Keras file that it was made from"
    ) from first


def _weights(manifest: Any, folder: Path, file: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every weight by its name; raises ConvertError."""
    if not isinstance(manifest, list) or not manifest or not all(isinstance(group, dict) for group in manifest):
        raise ConvertError(f"{file} has no weightsManifest: give the folder that tfjs wrote, with its weights")
    seen: set[str] = set()
    for group in manifest:
        entries = [(entry, _dtype(entry, file), _count(entry, file)) for entry in group.get("weights", [])]
        data = b"".join(_shard(name, folder, file) for name in group.get("paths", []))
        expected = sum(dtype.itemsize * count for _, dtype, count in entries)
        if len(data) != expected:
            raise ConvertError(
                f"the weights' files of {file} have {len(data)} bytes, the manifest says {expected}: {_AGAIN}"
            )
        start = 0
        for entry, dtype, count in entries:
            if entry["name"] in seen:
                raise ConvertError(f"{file} names the weight {entry['name']!r} twice: {_AGAIN}")
            seen.add(entry["name"])
            stored = np.frombuffer(data, dtype, count, start).reshape(entry["shape"])
            start += dtype.itemsize * count
            yield entry["name"], _real(stored, entry)


def _dtype(entry: Any, file: Path) -> np.dtype[Any]:
    """The type in which a weight is stored; raises ConvertError."""
    quantization = entry.get("quantization") or {}
    name = quantization.get("dtype", entry.get("dtype"))
    if not isinstance(entry.get("name"), str) or name not in _TYPES:
        raise ConvertError(
            f"{file} has the weight {entry.get('name')!r} of type {name}: expected one of {', '.join(_TYPES)}; "
            "convert the Keras file that it was made from"
        )
    return np.dtype(_TYPES[name])


def _count(entry: dict[str, Any], file: Path) -> int:
    shape = entry.get("shape")
    if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ConvertError(f"{file} has the weight {entry['name']!r} of shape {shape}: {_AGAIN}")
    return math.prod(shape)


def _shard(name: Any, folder: Path, file: Path) -> bytes:
    """A file of weights beside model.json; raises ConvertError for one that lies elsewhere or is missing."""
    if not isinstance(name, str) or not re.fullmatch(r"(?:[\w.@ -]+/)*[\w.@ -]+", name) or ".." in name.split("/"):
        raise ConvertError(f"{file} names {name!r} as a file of weights: expected one in the same folder; {_AGAIN}")
    path = folder / name
    if not path.exists():  # packages of npm publish the files with a suffix that the manifest lacks
        path = path.with_name(f"{path.name}.bin")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConvertError(
            f"the weights' file {folder / name}, which {file.name} names, cannot be read: {error.strerror}; {_AGAIN}"
        ) from error


def _real(stored: NDArray[Any], entry: dict[str, Any]) -> NDArray[Any]:
    """Dequantised: scale * stored + min. Source: tfjs-converter's quantization.dequantize_weights."""
    quantization = entry.get("quantization")
    if not quantization or "scale" not in quantization:
        return stored.astype(np.float32) if stored.dtype == np.float16 else stored
    real = stored.astype(np.float32) * np.float32(quantization["scale"]) + np.float32(quantization.get("min", 0))
    return real.round().astype(np.int32) if entry.get("dtype") == "int32" else real


def _fill(model: Any, weights: dict[str, NDArray[Any]], file: Path) -> None:
    """Put each weight to its place, by its name; raises ConvertError unless all names and shapes match."""
    places = {name: weight for layer in _leaves(model) for name, weight in _named_weights(layer)}
    missing, extra = sorted(places.keys() - weights.keys()), sorted(weights.keys() - places.keys())
    if missing or extra:
        raise ConvertError(
            f"the weights of {file} do not fit its network: {len(missing)} are missing ({', '.join(missing[:3])}), "
            f"{len(extra)} are too many ({', '.join(extra[:3])}); {_AGAIN}"
        )
    for name, place in places.items():
        if tuple(place.shape) != weights[name].shape:
            raise ConvertError(
                f"the weight {name!r} of {file} has the shape {weights[name].shape}, "
                f"the network needs {tuple(place.shape)}: {_AGAIN}"
            )
        place.assign(weights[name])


def _leaves(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if getattr(layer, "layers", None):
            yield from _leaves(layer)
        else:
            yield layer


def _named_weights(layer: Any) -> Iterator[tuple[str, Any]]:
    """The weights of a layer by tfjs's names: the layer's, and the last part of the weight's."""
    for weight in layer.weights:
        yield f"{layer.name}/{weight.name.split('/')[-1].split(':')[0]}", weight


def _published(metadata: Path) -> tuple[Finding[Preprocess] | None, tuple[str, ...] | None]:
    """Scaling and labels by Teachable Machine's metadata.json, if there is one; raises ConvertError."""
    found = parsed(metadata.read_bytes(), metadata) if metadata.is_file() else None
    if not isinstance(found, dict) or "tmVersion" not in found:
        return None, None
    package = str(found.get("packageName", ""))
    if package and not package.endswith("/image"):
        raise ConvertError(f"{metadata} says {package}: only Teachable Machine's image models are image classifiers")
    pixels = Finding(PREPROCESS["tf"], "metadata", "metadata.json says Teachable Machine, which takes -1..1")
    labels = found.get("labels")
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        return pixels, None
    return pixels, tuple(labels)
