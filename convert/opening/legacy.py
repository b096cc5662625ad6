"""Loaders of both Kerases, and networks that Keras 2 saved without saying what they take."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convert.errors import ConvertError
from convert.opening.keras_config import Saved, layers_of

_GIVEN = ("batch_shape", "batch_input_shape")
_NAME = "input_of_sequential"


def with_keras_3(path: Path) -> Any:
    """The model as Keras 3 loads it; raises whatever Keras raises."""
    import keras

    return keras.models.load_model(path, compile=False, safe_mode=True)


def with_keras_2(path: Path) -> Any:
    """The model as tf_keras loads it, which continues Keras 2; raises whatever it raises."""
    import tf_keras

    return tf_keras.models.load_model(path, compile=False, safe_mode=True)


def with_input(saved: Saved, config: dict[str, Any], size: tuple[int, int] | None) -> Iterator[dict[str, Any]]:
    """The configuration with an input layer, if it is a Sequential that lacks one; for each form that it may have.

    The input's shape is the one that the file says, or else of `size`, width and height in px, and 3 or 1 channels.
    Raises ConvertError if neither says it.
    """
    layers = layers_of(config)
    if config["class_name"] != "Sequential" or not layers or layers[0].get("class_name") == "InputLayer":
        yield config
        return
    if (shape := _shape_of(config)) is not None:
        yield _with_shape(config, layers, [None, *shape[1:]])
        return
    if size is None:
        raise ConvertError(
            f"{saved.path} does not say what size of pictures it takes: "
            "give the one that it was trained with: --input-size 224"
        )
    for channels in (3, 1):
        yield _with_shape(config, layers, [None, size[1], size[0], channels])


def _shape_of(layer: dict[str, Any]) -> list[int | None] | None:
    """The shape that a layer, or the first one inside of it, takes, batch first; None if nothing says it."""
    inner = layer.get("config")
    given = [inner.get(key) for key in _GIVEN] if isinstance(inner, dict) else []
    if shape := next((shape for shape in given if isinstance(shape, list)), None):
        return shape
    if (layers := layers_of(layer)) and (shape := _shape_of(layers[0])):
        return shape
    built = inner.get("build_input_shape") if isinstance(inner, dict) else None
    return built if isinstance(built, list) and len(built) > 1 else None


def _with_shape(config: dict[str, Any], layers: list[dict[str, Any]], shape: list[int | None]) -> dict[str, Any]:
    first = {
        "class_name": "InputLayer",
        "config": {"batch_input_shape": shape, "dtype": "float32", "name": _NAME},
        "module": "keras.layers",
        "registered_name": None,
    }
    inner = config["config"] if isinstance(config["config"], dict) else {"name": "sequential"}
    return {**config, "config": {**inner, "layers": [first, *layers]}}
