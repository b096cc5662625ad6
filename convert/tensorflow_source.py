"""Keras files and SavedModels as sources."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from convert.errors import ConvertError
from convert.sources import PREPROCESS, Preprocess, Source, sha256_of

_SERVING = "serving_default"


def open_keras(path: Path) -> Source:
    """Read a whole model from a .keras or .h5 file; raises ConvertError."""
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises a dozen kinds, each with a page of text
        raise ConvertError(
            f"Keras cannot load {path}: {_first_line(error)}. If it has custom layers, "
            "call model.export('DIR') where they are defined and convert DIR"
        ) from error
    return from_keras(model, path.stem, {"kind": "keras", "file": path.name, "sha256": sha256_of(path)})


def from_keras(model: Any, name: str, origin: dict[str, Any], **known: Any) -> Source:
    """A Keras model in memory as a source; `known` are further fields of Source. Raises ConvertError."""
    known.setdefault("preprocess", _own_preprocessing(model))
    return _source(lambda x: model(x, training=False), _shape(model.inputs), name, {**origin, **_versions()}, known)


def open_saved_model(path: Path) -> Source:
    """Read a SavedModel's serving signature; raises ConvertError."""
    try:
        loaded = tf.saved_model.load(str(path))
        signature = loaded.signatures[_SERVING]
    except Exception as error:
        raise ConvertError(
            f"{path} is not a SavedModel with the signature {_SERVING!r}: {_first_line(error)}. "
            "Write one with model.export('DIR')"
        ) from error
    specs = list(signature.structured_input_signature[1].items())

    def call(x: Any) -> Any:
        assert loaded is not None  # keeps it alive: the signature alone does not hold its variables
        return next(iter(signature(**{specs[0][0]: x}).values()))

    origin = {"kind": "saved_model", "file": path.name, "sha256": sha256_of(path), **_versions()}
    return _source(call, _shape([spec for _, spec in specs]), path.name, origin, {})


def _source(call: Callable[[Any], Any], shape: list[Any], name: str, origin: dict[str, Any], known: Any) -> Source:
    height, width, channels = _checked(shape)
    spec = tf.TensorSpec([1, height, width, channels], tf.float32)
    try:
        function = tf.function(call, input_signature=[spec]).get_concrete_function()
        frozen = convert_variables_to_constants_v2(function)
        tflite = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    except Exception as error:
        raise ConvertError(
            f"TensorFlow cannot convert {name}: {_first_line(error)}. Replace the layer that it names"
        ) from error
    outputs = [tensor.shape for tensor in frozen.outputs]
    if len(outputs) != 1 or outputs[0].num_elements() != outputs[0][-1]:
        raise ConvertError(
            f"{name} has outputs {[str(shape) for shape in outputs]}: a classifier has one, a row of scores; "
            "convert a model with that output alone"
        )

    def scores(tensor: NDArray[np.float32]) -> NDArray[Any]:
        return np.asarray(frozen(tf.constant(tensor))[0]).reshape(-1)

    return Source(name, tflite, (height, width, channels), int(outputs[0][-1]), scores, origin, **known)


def _shape(inputs: list[Any]) -> list[Any]:
    if len(inputs) != 1:
        raise ConvertError(
            f"the model takes {len(inputs)} inputs: an image classifier takes one; make the others constants"
        )
    return list(inputs[0].shape)


def _checked(shape: list[Any]) -> tuple[int, int, int]:
    if len(shape) != 4 or None in shape[1:]:
        raise ConvertError(
            f"the model's input is {tuple(shape)}: expected (batch, height, width, channels) with a fixed size; "
            "build the network with that keras.Input"
        )
    return int(shape[1]), int(shape[2]), int(shape[3])


def _own_preprocessing(model: Any) -> Preprocess | None:
    """The preprocessing "none" if one of the first layers scales the pixels, else None."""
    layers = list(getattr(model, "layers", []))[:4]
    own = any(type(layer).__name__ in ("Rescaling", "Normalization") for layer in layers)
    return PREPROCESS["none"] if own else None


def _versions() -> dict[str, str]:
    return {"tensorflow": tf.__version__, "keras": keras.__version__}


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300].rstrip(".")
