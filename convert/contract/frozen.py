"""What a TensorFlow function does to pixels before its first weights, read before TensorFlow Lite folds it away."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.contract.evidence import MOST_TENSORS, pixels_from
from convert.contract.findings import Finding, Preprocess

_WITH_WEIGHTS = ("Conv", "DepthwiseConv", "MatMul", "BatchMatMul", "Einsum", "MaxPool", "AvgPool", "_FusedConv")
_NO_PIXELS = ("Shape", "ShapeN", "Size", "Rank")


def pixels_of(frozen: Any, shape: tuple[int, int, int]) -> Finding[Preprocess] | None:
    """How the frozen function of one picture, float32 (1, *shape), scales it; None if it does not."""
    start = frozen.inputs[0].name
    tensors = _first_read(frozen.graph, start)
    if not tensors or tensors == [start]:
        return None
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(frozen.graph.as_graph_def(), name="")
    with tf.compat.v1.Session(graph=graph) as session:

        def respond(picture: NDArray[np.float32]) -> Sequence[NDArray[Any]]:
            return [np.asarray(value, np.float64) for value in session.run(tensors, {start: picture})]

        return pixels_from(respond, shape)


def _first_read(graph: Any, start: str) -> list[str]:
    """The tensors of pixels that an operator with weights, or one that mixes neighbours, reads first."""
    pixels, read = {start}, []
    for operator in graph.get_operations():  # in the order in which they were made: inputs come first
        given = [tensor.name for tensor in operator.inputs if tensor.name in pixels]
        if not given or operator.type in _NO_PIXELS:
            continue
        if operator.type.startswith(_WITH_WEIGHTS):
            read += [name for name in given if name not in read]
        else:
            pixels |= {tensor.name for tensor in operator.outputs}
    return read[:MOST_TENSORS]
