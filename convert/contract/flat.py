"""What a float .tflite graph does to pixels before its first weights, if its converter left it there."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from convert.contract.evidence import MOST_TENSORS, pixels_from
from convert.contract.findings import PREPROCESS, Finding, Preprocess
from convert.graph import Graph, Op, Type

_WITH_WEIGHTS = (
    Op.CONV_2D,
    Op.DEPTHWISE_CONV_2D,
    Op.FULLY_CONNECTED,
    Op.BATCH_MATMUL,
    Op.MAX_POOL_2D,
    Op.AVERAGE_POOL_2D,
    Op.TRANSPOSE_CONV,
    Op.CONV_3D,
)


def known_range(low: float, high: float) -> Preprocess | None:
    """The preprocessing whose values span low..high: -1..1, 0..1 or 0..255; None for other ranges."""
    if abs(low + 1) < 0.1 and abs(high - 1) < 0.1:
        return PREPROCESS["tf"]
    if abs(low) < 0.1 and abs(high - 1) < 0.1:
        return PREPROCESS["unit"]
    return PREPROCESS["none"] if abs(low) < 2 and abs(high - 255) < 4 else None


def pixels_of(graph: Graph, shape: tuple[int, int, int]) -> Finding[Preprocess] | None:
    """How the graph of one picture, float32 (1, *shape), scales it, or quantises it at once; else None."""
    start = graph.subgraph.inputs[0]
    if graph.tensor(start).type != Type.FLOAT32:
        return None
    tensors, operators, quantised = _first_read(graph, start)
    if quantised is not None:
        return _from_range(quantised)
    if not tensors or tensors == [start]:
        return None
    part = copy.copy(graph.model)
    part.subgraphs = [copy.copy(graph.subgraph)]
    part.subgraphs[0].operators, part.subgraphs[0].outputs, part.signatureDefs = operators, tensors, []
    try:
        interpreter = Interpreter(model_content=Graph.packed(part))
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError):
        return None

    def respond(picture: NDArray[np.float32]) -> Sequence[NDArray[Any]]:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
        interpreter.invoke()
        return [interpreter.get_tensor(tensor["index"]).copy() for tensor in interpreter.get_output_details()]

    return pixels_from(respond, shape)


def _first_read(graph: Graph, start: int) -> tuple[list[int], list[Any], Any]:
    """The tensors of pixels that operators with weights read, what computes them, and the quantisation of the input."""
    pixels, read, operators, beyond = {start}, [], [], set[int]()
    for operator in graph.operators:
        given = [index for index in operator.inputs if index in pixels]
        if not beyond.isdisjoint(operator.inputs):
            beyond |= set(operator.outputs)
        elif not given:
            operators.append(operator)  # computes a constant
        elif graph.kind(operator) == Op.QUANTIZE:
            return [], [], graph.tensor(operator.outputs[0])
        elif graph.kind(operator) in _WITH_WEIGHTS:
            read += [index for index in given if index not in read]
            beyond |= set(operator.outputs)
        else:
            operators.append(operator)
            pixels |= set(operator.outputs)
    needed = {index for operator in operators for index in operator.outputs} | {start}
    return [index for index in read if index in needed][:MOST_TENSORS], operators, None


def _from_range(tensor: Any) -> Finding[Preprocess] | None:
    limits = {Type.INT8: (-128, 127), Type.UINT8: (0, 255)}.get(tensor.type)
    if limits is None or tensor.quantization is None or len(tensor.quantization.scale) != 1:
        return None
    scale, zero_point = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
    low, high = ((limit - zero_point) * scale for limit in limits)
    known = known_range(low, high)
    return Finding(known, "tensor", f"the input is quantised at once, from {low:.3g}..{high:.3g}") if known else None
