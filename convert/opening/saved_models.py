"""SavedModels, by the signature that serves."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from convert.errors import ConvertError
from convert.opening.functions import Function, first_line, source_of
from convert.options import Options
from convert.sources import Source, sha256_of

_SERVING = "serving_default"


def open_saved_model(path: Path, options: Options) -> Source:
    """Read a SavedModel's serving signature; raises ConvertError."""
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:
        raise ConvertError(
            f"TensorFlow cannot load the SavedModel {path}: {first_line(error)}. Write it again: model.export('DIR')"
        ) from error
    signature = _signature(loaded, path)
    specs = list(signature.structured_input_signature[1].items())
    if len(specs) != 1:
        raise ConvertError(
            f"the model takes {len(specs)} inputs: an image classifier takes one; make the others constants"
        )
    ((key, spec),) = specs

    def call(x: Any) -> Any:
        assert loaded is not None  # keeps it alive: the signature alone does not hold its variables
        return signature(**{key: x})

    if spec.dtype == tf.string:
        raise ConvertError(
            f"the signature of {path} takes text, such as a picture's bytes: "
            "export one that takes pixels, with model.export('DIR')"
        )
    shape = tuple(spec.shape) if spec.shape.rank is not None else ()
    origin = {"kind": "saved_model", "file": path.name, "sha256": sha256_of(path)}
    return source_of(Function(call, shape, spec.dtype), path.name, origin, options)


def _signature(loaded: Any, path: Path) -> Any:
    signatures = dict(loaded.signatures)
    if _SERVING in signatures:
        return signatures[_SERVING]
    if len(signatures) == 1:
        return next(iter(signatures.values()))
    raise ConvertError(
        f"the SavedModel {path} has {f'the signatures {sorted(signatures)}' if signatures else 'no signature'}: "
        f"{_SERVING!r} is needed. Write it with model.export('DIR')"
    )
