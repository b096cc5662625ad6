"""SavedModels, by the signature that serves."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from convert.errors import ConvertError
from convert.opening.forms import shown
from convert.opening.functions import Function, first_line, source_of
from convert.options import Options
from convert.sources import Source, sha256_of

_SERVING = "serving_default"
_TAGS: tuple[list[str] | None, ...] = (None, ["serve"], [])
"""TensorFlow finds the tags itself if there is one graph; modules of TF1's hub have one for training, too."""


def open_saved_model(path: Path, options: Options) -> Source:
    """Read a SavedModel's serving signature; raises ConvertError."""
    loaded = _loaded(path)
    key, spec, function = _signature(loaded, path)
    if spec.dtype == tf.string:
        raise ConvertError(
            f"the signature of {path} takes text, such as a picture's bytes: "
            "export one that takes pixels, with model.export('DIR')"
        )
    if spec.dtype in (tf.bool, tf.resource, tf.variant) or spec.dtype.is_complex:
        raise ConvertError(f"the signature of {path} takes {spec.dtype.name}: an image classifier takes pixels")
    if spec.shape.rank is None:
        raise ConvertError(
            f"the signature of {path} takes a tensor of any shape: export one for pictures, with model.export('DIR')"
        )

    def call(x: Any) -> Any:
        assert loaded is not None  # keeps it alive: the signature alone does not hold its variables
        return function(**{key: x}) if key else function(x)

    origin = {"kind": "saved_model", "file": path.name, "sha256": sha256_of(path)}
    return source_of(Function(call, tuple(spec.shape), spec.dtype), path.name, origin, options)


def _loaded(path: Path) -> Any:
    first: Exception | None = None
    for tags in _TAGS:
        try:
            return tf.saved_model.load(str(path), tags)
        except Exception as error:  # TensorFlow raises what a damaged file happens to hit
            first = first or error
            if "tags" not in str(error):
                break
    assert first is not None
    if not (path / "variables").is_dir() and "variables" in str(first):
        raise ConvertError(
            f"the SavedModel {path} lacks its folder variables: copy the whole folder, saved_model.pb and variables/"
        ) from first
    raise ConvertError(
        f"TensorFlow cannot load the SavedModel {path}: {first_line(first)}. Write it again: model.export('DIR')"
    ) from first


def _signature(loaded: Any, path: Path) -> tuple[str | None, Any, Any]:
    """The name and the TensorSpec of the only input of what serves, and the function; raises ConvertError.

    The name is None if the function takes its input by position.
    """
    signatures = {name: one for name, one in loaded.signatures.items() if not name.startswith("__")}
    if not signatures and callable(loaded) and (spec := _called_with(loaded)) is not None:
        return None, spec, loaded
    if _SERVING in signatures:
        signature = signatures[_SERVING]
    elif len(signatures) == 1:
        (signature,) = signatures.values()
    else:
        has = f"the signatures {', '.join(sorted(signatures))}" if signatures else "no signature"
        raise ConvertError(
            f"the SavedModel {path} has {has}: {_SERVING!r} is needed. Write it with model.export('DIR')"
        )
    specs = list(signature.structured_input_signature[1].items())
    if len(specs) != 1:
        listed = ", ".join(f"{name} {_shown(spec)}" for name, spec in sorted(specs))
        raise ConvertError(
            f"the model takes {len(specs)} inputs, {listed}: an image classifier takes one picture; "
            "make the others constants"
        )
    ((key, spec),) = specs
    return key, spec, signature


def _called_with(loaded: Any) -> Any:
    """The TensorSpec of the only argument with which an object was traced; None if there is no such trace."""
    for function in getattr(loaded.__call__, "concrete_functions", []):
        positional, named = function.structured_input_signature
        if len(positional) == 1 and not named and isinstance(positional[0], tf.TensorSpec):
            return positional[0]
    return None


def _shown(spec: Any) -> str:
    return shown(tuple(spec.shape)) if spec.shape.rank is not None else "of any shape"
