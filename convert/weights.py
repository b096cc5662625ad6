"""The layers of a graph that have weights: what an 8-bit form makes smaller."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.graph import Graph, Op

WEIGHTS = 1
"""Which input of such a layer its weights are, by TensorFlow Lite's kernels."""
KINDS = (Op.CONV_2D, Op.DEPTHWISE_CONV_2D, Op.FULLY_CONNECTED, Op.TRANSPOSE_CONV, Op.BATCH_MATMUL)
_KIND_NAMES = {value: name for name, value in vars(Op).items() if isinstance(value, int)}


@dataclass(frozen=True)
class Layer:
    """An operator with constant weights."""

    name: str
    """The name of its output tensor."""
    kind: str
    """As `Op` names it: CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, ..."""
    shape: tuple[int, ...]
    """The weights' shape, as the .tflite file has them: (output channels, height, width, channels) for CONV_2D."""
    type: int
    """The type in which the weights are stored, a value of `Type`."""
    weights_bytes: int

    @property
    def elements(self) -> int:
        """Number of weights."""
        return int(np.prod(self.shape))


def kind_name(code: int) -> str:
    """The name of an operator's code."""
    return str(_KIND_NAMES.get(code, code))


def layers(graph: Graph) -> list[Layer]:
    """Every layer with constant weights, in order of execution."""
    made_by = makers(graph)
    found = []
    for op in graph.operators:
        if graph.kind(op) in KINDS and (stored := stored_weights(graph, op, made_by)) is not None:
            buffer = graph.model.buffers[stored.buffer].data
            shape = tuple(int(n) for n in stored.shape)
            found.append(Layer(graph.name(op), kind_name(graph.kind(op)), shape, int(stored.type), len(buffer)))
    return found


def makers(graph: Graph) -> dict[int, Any]:
    """Each computed tensor's index, with the operator whose output it is."""
    return {int(index): op for op in graph.operators for index in op.outputs}


def stored_weights(graph: Graph, op: Any, made_by: dict[int, Any]) -> Any:
    """The constant tensor that a layer's weights come from, directly or through DEQUANTIZE; None if computed.

    `made_by` is what `makers` returns.
    """
    index = int(op.inputs[WEIGHTS])
    maker = made_by.get(index)
    if maker is not None and graph.kind(maker) == Op.DEQUANTIZE:
        index = maker.inputs[0]
    tensor = graph.tensor(index)
    return tensor if graph.model.buffers[tensor.buffer].data is not None else None
