"""Functions of TensorFlow as sources: frozen, converted, and looked at."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from convert.contract import frozen as evidence
from convert.contract.findings import PREPROCESS, Finding
from convert.errors import ConvertError
from convert.opening.forms import Form, form_of
from convert.opening.frozen_sizes import FrozenSizes, scores_of
from convert.opening.outputs import Output, chosen
from convert.options import Options
from convert.sources import Source

_COLOURS = re.compile("\x1b\\[[0-9;]*m")


class Function(NamedTuple):
    """A model as TensorFlow calls it."""

    call: Callable[[Any], Any]
    """Takes a tensor of the model's own shape and type; returns a tensor, a list, or a dictionary of tensors."""
    shape: tuple[int | None, ...]
    """Of the input, with the batch first; None where the model leaves it open."""
    dtype: Any = tf.float32


def source_of(function: Function, name: str, origin: dict[str, Any], options: Options, **known: Any) -> Source:
    """A function as a source; `known` are further fields of Source. Raises ConvertError."""
    form = form_of(function.shape, options.input_size)
    frozen, output = _frozen(function, form, name, options.output)
    tflite = _converted(frozen, name)
    known.setdefault("pixels", None)
    if not tf.as_dtype(function.dtype).is_floating:
        known["pixels"] = Finding(PREPROCESS["none"], "tensor", f"the model's input is {function.dtype.name}")
    elif own := evidence.pixels_of(frozen, form.shape):
        known["pixels"] = own

    def scores(tensor: NDArray[np.float32]) -> NDArray[Any]:
        return scores_of(frozen, tensor)

    known["sizes"] = FrozenSizes(frozen, lambda at_size: _converted(at_size, name))
    notes = (*form.notes, *output.notes, *known.pop("notes", ()))
    about = {**origin, "tensorflow": tf.__version__, "keras": keras.__version__}
    return Source(name, tflite, form.shape, output.classes, scores, about, notes=notes, **known)


def first_line(error: Exception) -> str:
    """What an exception says, as one line of at most 300 characters; Keras's own begin with where it was raised."""
    lines = [line.strip() for line in _COLOURS.sub("", str(error)).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Exception encountered when calling")] or lines
    return (lines[0] if lines else type(error).__name__)[:300].rstrip(".")


def _frozen(function: Function, form: Form, name: str, wanted: str | None) -> tuple[Any, Output]:
    found: list[Output] = []

    def call(picture: Any) -> Any:
        tensor = form.to_model(picture)
        if not tf.as_dtype(function.dtype).is_floating:
            tensor = tf.round(tensor)
        returned = function.call(tf.cast(tensor, function.dtype))
        found.append(chosen(returned, wanted, name))
        return tf.cast(found[-1].of(returned), tf.float32)

    try:
        spec = [tf.TensorSpec([1, *form.shape], tf.float32)]
        concrete = tf.function(call, input_signature=spec, autograph=False).get_concrete_function()
        return convert_variables_to_constants_v2(concrete), found[-1]
    except ConvertError:
        raise
    except Exception as error:
        raise ConvertError(f"TensorFlow cannot run {name}: {first_line(error)}. {form.remedy}") from error


def _converted(frozen: Any, name: str) -> bytes:
    """The .tflite file of a frozen function.

    The converter of TensorFlow 1 takes the frozen graph as it is; `from_concrete_functions` would freeze it once more.
    """
    try:
        graph = frozen.graph.as_graph_def()
        return bytes(tf.compat.v1.lite.TFLiteConverter(graph, frozen.inputs, frozen.outputs).convert())
    except Exception as error:
        raise ConvertError(
            f"TensorFlow Lite cannot convert {name}: {first_line(error)}. Replace the layer that it names"
        ) from error
