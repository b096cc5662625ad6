"""Changes to convolutions that are exact in float, and faster in dynamic range. What they gain: docs/speed.md."""

from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.graph import Graph, Op
from convert.graph_parts import add_constant, add_tensor, float_constant, new_operator

_Activation = schema.ActivationFunctionType
_NONE = _Activation.NONE
OPERATORS = {_Activation.RELU: Op.RELU, _Activation.RELU6: Op.RELU6, _Activation.RELU_N1_TO_1: Op.RELU_N1_TO_1}
"""The activations that may differ among the merged: each is then a separate operator behind its part."""
_INPUT, _WEIGHTS, _BIAS = range(3)
_WITH_ACTIVATION = 4
"""The first version of TRANSPOSE_CONV that has an activation (tensorflow/lite/tools/versioning/op_version.cc)."""


class _Way(NamedTuple):
    """How a convolution reads its input: what convolutions must have in common to be merged."""

    input: int
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilation: tuple[int, int]
    padding: int


def merge_convolutions(graph: Graph) -> int:
    """Merge convolutions of one input, kernel size, stride, dilation and padding; returns how many became parts.

    In dynamic range every convolution quantises its whole input at each inference. In a block of Inception v3 four 1x1
    convolutions read one concatenation, so that it is quantised four times; merged, it is quantised once. The parts of
    the result are cut out of it, which copies a few channels. The weights of the merged one are those of its parts, one
    after the other: each output channel is computed as before, from the same values in the same order.
    """
    groups: dict[_Way, list[Any]] = {}
    for op in graph.operators:
        if (way := _way_of_reading(graph, op)) is not None:
            groups.setdefault(way, []).append(op)
    merged = [group for group in groups.values() if len(group) > 1]
    constants = [int(op.inputs[i]) for group in merged for op in group for i in (_WEIGHTS, _BIAS)]
    for group in merged:
        _merge(graph, group)
    _forget(graph, constants)
    return sum(map(len, merged))


def _way_of_reading(graph: Graph, op: Any) -> _Way | None:
    """None for what is no convolution with constant weights, and for one that is grouped or is the graph's output."""
    if graph.kind(op) != Op.CONV_2D or len(op.inputs) != 3 or int(op.outputs[0]) in map(int, graph.subgraph.outputs):
        return None
    options = op.builtinOptions
    if options.fusedActivationFunction not in (_NONE, *OPERATORS):
        return None
    if any(float_constant(graph, op.inputs[i]) is None for i in (_WEIGHTS, _BIAS)):
        return None
    kernel = graph.tensor(op.inputs[_WEIGHTS]).shape
    if kernel[3] != graph.tensor(op.inputs[_INPUT]).shape[3]:  # grouped
        return None
    strides, dilation = (options.strideH, options.strideW), (options.dilationHFactor, options.dilationWFactor)
    return _Way(int(op.inputs[_INPUT]), (int(kernel[1]), int(kernel[2])), strides, dilation, options.padding)


def _merge(graph: Graph, group: list[Any]) -> None:
    """Put one convolution and the cuts in the place of the first of the group, and delete the others."""
    first = group[0]
    name = "+".join(graph.name(op) for op in group)
    weights, bias = (_joined(graph, [op.inputs[i] for op in group], name, i) for i in (_WEIGHTS, _BIAS))
    channels = [int(graph.tensor(op.inputs[_WEIGHTS]).shape[0]) for op in group]
    place = [int(n) for n in graph.tensor(first.outputs[0]).shape[:3]]
    whole = add_tensor(graph, name, [*place, sum(channels)], graph.tensor(first.outputs[0]).type)
    activations = [int(op.builtinOptions.fusedActivationFunction) for op in group]
    same = len(set(activations)) == 1
    parts = []
    for op, begin, activation in zip(group, accumulate([0, *channels]), activations, strict=False):
        parts += _part(graph, whole, begin, int(op.outputs[0]), _NONE if same else activation)
    first.inputs, first.outputs = [first.inputs[_INPUT], weights, bias], [whole]
    first.builtinOptions.fusedActivationFunction = activations[0] if same else _NONE
    graph.operators[:] = [
        new
        for op in graph.operators
        for new in ([first, *parts] if op is first else [] if any(op is other for other in group) else [op])
    ]


def _forget(graph: Graph, constants: list[int]) -> None:
    """Delete the values of constants that no operator reads any more: the file would keep them."""
    buffers = {graph.tensor(index).buffer for index in constants}
    read = {graph.tensor(index).buffer for op in graph.operators for index in op.inputs if index >= 0}
    for buffer in buffers - read:
        graph.model.buffers[buffer].data = None


def _joined(graph: Graph, constants: list[int], name: str, position: int) -> int:
    values = [float_constant(graph, index) for index in constants]
    return add_constant(graph, f"{name}/{position}", np.concatenate([one for one in values if one is not None]))


def _part(graph: Graph, whole: int, begin: int, output: int, activation: int) -> list[Any]:
    """The operators that cut the channels from `begin` on out of the merged tensor and write them to `output`."""
    shape = [int(n) for n in graph.tensor(output).shape]
    name = graph.tensor_name(output)
    cut = output if activation == _NONE else add_tensor(graph, f"{name}/cut", shape, graph.tensor(output).type)
    corners = [
        add_constant(graph, f"{name}/{word}", values) for word, values in (("begin", [0, 0, 0, begin]), ("size", shape))
    ]
    slice_ = new_operator(graph, Op.SLICE, [whole, *corners], cut, schema.SliceOptionsT())
    return [slice_] if activation == _NONE else [slice_, new_operator(graph, OPERATORS[activation], [cut], output)]


def transpose_pointwise(graph: Graph, above: int) -> int:
    """Make 1x1 convolutions of stride 1 and more than `above` weights transposed ones; returns how many.

    With a kernel of 1x1 and a stride of 1 both compute the same sums. In dynamic range XNNPACK computes a 1x1
    convolution as a fully connected layer (src/subgraph.c, xnn_subgraph_optimize_packed_lhs): on arm64 by KleidiAI's
    kernel, which takes 1.46 instructions for a dot product and 5.9 to quantise and pack a value, on x86_64 with the
    input quantised anew for each tile. The transposed one takes 1.33 and 1.8 (Neoverse N1), by the kernel that all
    other convolutions have; its input has one scale instead of one for each pixel.
    """
    changed = [op for op in graph.operators if _is_pointwise(graph, op) and _elements(graph, op) > above]
    for op in changed:
        inputs = [add_constant(graph, f"{graph.name(op)}/shape", [int(n) for n in graph.tensor(op.outputs[0]).shape])]
        inputs += [op.inputs[i] for i in (_WEIGHTS, _INPUT, _BIAS)]
        options = schema.TransposeConvOptionsT()
        options.padding, options.strideH, options.strideW = schema.Padding.VALID, 1, 1
        options.fusedActivationFunction = op.builtinOptions.fusedActivationFunction
        made = new_operator(graph, Op.TRANSPOSE_CONV, inputs, op.outputs[0], options)
        graph.operators[next(i for i, one in enumerate(graph.operators) if one is op)] = made
        code = graph.model.operatorCodes[made.opcodeIndex]
        code.version = max(code.version, _WITH_ACTIVATION)
    return len(changed)


def _is_pointwise(graph: Graph, op: Any) -> bool:
    way = _way_of_reading(graph, op)
    return way is not None and way.kernel == way.strides == (1, 1)


def _elements(graph: Graph, op: Any) -> int:
    return int(np.prod(graph.tensor(op.inputs[_WEIGHTS]).shape))
