"""Whole Keras models, from a file or in memory."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from convert.errors import ConvertError
from convert.opening.functions import Function, first_line, source_of
from convert.options import Options
from convert.sources import Source, sha256_of


def open_keras(path: Path, options: Options) -> Source:
    """Read a whole model from a .keras or .h5 file; raises ConvertError."""
    return from_keras(load(path), path.stem, {"kind": "keras", "file": path.name, "sha256": sha256_of(path)}, options)


def load(path: Path) -> Any:
    """The model in a .keras or .h5 file; raises ConvertError."""
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises a dozen kinds, each with a page of text
        raise ConvertError(
            f"Keras cannot load {path}: {first_line(error)}. If it has custom layers, "
            "call model.export('DIR') where they are defined and convert DIR"
        ) from error


def from_keras(model: Any, name: str, origin: dict[str, Any], options: Options | None = None, **known: Any) -> Source:
    """A Keras model in memory as a source; `known` are further fields of Source. Raises ConvertError."""
    if len(model.inputs) != 1:
        raise ConvertError(
            f"the model takes {len(model.inputs)} inputs: an image classifier takes one; make the others constants"
        )
    (tensor,) = model.inputs
    function = Function(lambda x: model(x, training=False), tuple(tensor.shape), tf.as_dtype(tensor.dtype))
    return source_of(function, name, origin, options or Options(source=name), **known)
