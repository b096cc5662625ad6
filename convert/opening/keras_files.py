"""Whole Keras models, from a file or in memory."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from convert.errors import ConvertError
from convert.opening import keras_layers, legacy, publishers
from convert.opening.forms import shown
from convert.opening.functions import Function, first_line, source_of
from convert.opening.keras_config import Saved, file_of, in_float32, read
from convert.options import Options
from convert.sources import Source, sha256_of

_UNKNOWN = ("Unknown layer", "Could not locate", "custom", "Unknown activation", "Unknown initializer")


def open_keras(path: Path, options: Options) -> Source:
    """Read a whole model from a .keras or an HDF5 file, whatever its name; raises ConvertError."""
    saved = read(path)
    keras_layers.check(saved.config, path)
    config, notes = in_float32(saved.config)
    model = load(saved, config, options.input_size)
    origin = {"kind": "keras", "file": path.name, "sha256": sha256_of(path), "written_by_keras": saved.version}
    return from_keras(model, path.stem, origin, options, pixels=publishers.pixels_of(config), notes=notes)


def load(saved: Saved, config: dict[str, Any], size: tuple[int, int] | None) -> Any:
    """The model in a file, with this configuration; raises ConvertError.

    Of Keras 3 and Keras 2, the one that wrote the file is tried first; what it says is reported if both fail.
    """
    loaders = (legacy.with_keras_2, legacy.with_keras_3)
    first: Exception | None = None
    for built in legacy.with_input(saved, config, size):
        with file_of(saved, built) as path:
            for loader in loaders if saved.by_keras_2 else reversed(loaders):
                try:
                    return loader(path)
                except Exception as error:  # Keras raises a dozen kinds, each with a page of text
                    first = first or error
    assert first is not None
    raise ConvertError(f"Keras cannot load {saved.path}: {first_line(first)}. {_remedy(first, saved)}") from first


def from_keras(model: Any, name: str, origin: dict[str, Any], options: Options | None = None, **known: Any) -> Source:
    """A model of Keras or tf_keras in memory as a source; `known` are further fields of Source. Raises ConvertError."""
    inputs = model.inputs or []
    if len(inputs) != 1:
        listed = ", ".join(f"{tensor.name} {shown(tuple(tensor.shape))}" for tensor in inputs)
        raise ConvertError(
            f"the model takes {len(inputs)} inputs, {listed}: an image classifier takes one picture; "
            "make the others constants"
        )
    (tensor,) = inputs
    structure = getattr(model, "input", None)  # a Sequential of Keras 3 has none

    def call(x: Any) -> Any:
        given = dict.fromkeys(structure, x) if isinstance(structure, dict) else x
        return _named(model, model(given, training=False))

    function = Function(call, tuple(tensor.shape), tf.as_dtype(tensor.dtype))
    return source_of(function, name, origin, options or Options(source=name), **known)


def _named(model: Any, returned: Any) -> Any:
    """Several outputs by the names that Keras gives them, if these differ."""
    names = list(getattr(model, "output_names", None) or [])
    if isinstance(returned, list | tuple) and len(returned) > 1 and len(set(names)) == len(returned):
        return dict(zip(names, returned, strict=True))
    return returned


def _remedy(error: Exception, saved: Saved) -> str:
    if any(word in str(error) for word in _UNKNOWN):
        return "If it has custom layers, call model.export('DIR') where they are defined and convert DIR"
    written = f"Keras {saved.version}" if saved.version else "the Keras that wrote it"
    return f"Load it with {written}, call model.export('DIR') there and convert DIR"
