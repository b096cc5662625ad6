"""A frozen function of TensorFlow at other sizes of pictures, so that TensorFlow itself computes every shape anew.

The .tflite file of a function is made for one size: its converter turns an explicit pad before a convolution into the
padding SAME if both are the same at that size. So it has to convert anew for another one.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from convert.other_size import pools_the_whole_map

_MEANS = {"AvgPool": "Mean", "MaxPool": "Max"}
"""Pools, each with the reduction that it is if it sees the whole map."""
_AXES = "axes_of_the_whole_map"


class FrozenSizes:
    """See `sources.Sizes`."""

    def __init__(self, frozen: Any, converted: Callable[[Any], bytes]) -> None:
        """A frozen function of one picture, (1, H, W, C), and what makes a .tflite file of such a function."""
        self._frozen, self._converted = frozen, converted

    def fits(self, size: tuple[int, int]) -> bool:
        """Whether every layer takes pictures of this size."""
        return self._at(size) is not None

    def at(self, size: tuple[int, int]) -> tuple[bytes, Callable[[NDArray[np.float32]], NDArray[Any]]]:
        """The .tflite file and the reference; `size` fits."""
        function = self._at(size)
        assert function is not None
        return self._converted(function), lambda tensor: scores_of(function, tensor)

    def _at(self, size: tuple[int, int]) -> Any:
        """The frozen function at this size; None if a layer does not fit."""
        (given,), (output,) = self._frozen.inputs, self._frozen.outputs
        graph = _without_shapes(self._frozen.graph)

        def call(picture: Any) -> Any:
            return tf.graph_util.import_graph_def(graph, {given.name: picture}, [output.name], name="")[0]

        spec = [tf.TensorSpec([1, size[1], size[0], given.shape[3]], tf.float32)]
        try:
            concrete = tf.function(call, input_signature=spec, autograph=False).get_concrete_function()
            function = convert_variables_to_constants_v2(concrete)
            if concrete.outputs[0].shape != output.shape or _has_an_empty_map(concrete.graph):
                return None
            scores_of(function, np.zeros(spec[0].shape, np.float32))  # some shapes are computed
            return function
        except (ValueError, tf.errors.OpError):
            return None


def scores_of(function: Any, tensor: NDArray[np.float32]) -> NDArray[Any]:
    """Preprocessed input, float32 (1, H, W, C), to the raw output, float (outputs,), of a frozen function."""
    return np.asarray(function(tf.constant(tensor))[0]).reshape(-1)


def _without_shapes(graph: Any) -> Any:
    """The graph's definition without what it says of shapes, and with reductions for pools over the whole map."""
    definition = graph.as_graph_def()
    whole = {op.name for op in graph.get_operations() if op.type in _MEANS and _sees_the_whole_map(op)}
    for node in definition.node:
        node.attr.pop("_output_shapes", None)
        if node.name in whole:
            kind = node.attr["T"].type
            node.op = _MEANS[node.op]
            node.attr.clear()
            node.attr["T"].type, node.attr["Tidx"].type = kind, tf.int32.as_datatype_enum
            node.attr["keep_dims"].b = True
            node.input.insert(1, _AXES)
    if whole:
        axes = definition.node.add(name=_AXES, op="Const")
        axes.attr["dtype"].type = tf.int32.as_datatype_enum
        axes.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1, 2], tf.int32))
    return definition


def _sees_the_whole_map(op: Any) -> bool:
    if op.get_attr("data_format") != b"NHWC" or op.inputs[0].shape.rank != 4:
        return False
    given, made = (one[0].shape[1:3].as_list() for one in (op.inputs, op.outputs))
    kernel, strides = (list(op.get_attr(name))[1:3] for name in ("ksize", "strides"))
    return pools_the_whole_map(given, made, kernel, strides)


def _has_an_empty_map(graph: Any) -> bool:
    tensors = [tensor for op in graph.get_operations() if op.type != "Const" for tensor in op.outputs]
    return any(0 in (tensor.shape.as_list() if tensor.shape.rank else []) for tensor in tensors)
