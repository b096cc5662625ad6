"""A graph of fixed size at another size of pictures: the same weights, and what depends on the map's size put right.

What can depend on it: a pool over the whole map, which becomes one over the new map, and a slice to the map's end.
Convolutions, explicit pads and reductions over axes fit any size. Everything else that does not fit is refused.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.errors import ConvertError
from convert.graph import Graph, Op

_POOLS = (Op.AVERAGE_POOL_2D, Op.MAX_POOL_2D, Op.L2_POOL_2D)
_WHOLE_STRIDE = 1 << 14
"""A stride beyond every map: with padding SAME the pool's output is 1x1, whatever its input is."""
_LARGEST_HALVING = 3
"""The filter's side of the pools that halve a map in every usual network: 2 or 3, with a stride of 2."""
_HEIGHT, _WIDTH = 1, 2
"""The axes of a map in (N, H, W, C)."""


def of_size(graph: Graph, size: tuple[int, int]) -> Graph | None:
    """A copy of a graph, (1, H, W, C), for pictures of `size`, width and height in px; None if a layer does not fit."""
    copy = Graph(graph.serialize())
    pools = [i for i, op in enumerate(copy.operators) if _is_over_the_whole_map(copy, op)]
    for i in pools:
        options = copy.operators[i].builtinOptions
        options.padding, options.strideH, options.strideW = schema.Padding.SAME, _WHOLE_STRIDE, _WHOLE_STRIDE
    for op in copy.operators:
        _slice_to_the_end(copy, op)
    try:
        made = copy.with_input_size(size[1], size[0])
    except ConvertError:
        return None
    for i in pools:
        _pool_over_the_whole_map(made, made.operators[i])
    return made if _fits(graph, made) else None


def pools_the_whole_map(given: list[int], made: list[int], kernel: list[int], strides: list[int]) -> bool:
    """Whether a pool stands for the whole map; each argument is a height and a width: input, output, filter, strides.

    In a network for small pictures, a pool that halves the map may happen to see all of it: it stays as it is.
    """
    halves = max(kernel) <= _LARGEST_HALVING and strides == [2, 2]
    return kernel == given and made == [1, 1] and given != [1, 1] and not halves


def _is_over_the_whole_map(graph: Graph, op: Any) -> bool:
    if graph.kind(op) not in _POOLS:
        return False
    (given, made), options = (graph.tensor(i).shape for i in (op.inputs[0], op.outputs[0])), op.builtinOptions
    return pools_the_whole_map(
        [int(n) for n in given[_HEIGHT : _WIDTH + 1]],
        [int(n) for n in made[_HEIGHT : _WIDTH + 1]],
        [options.filterHeight, options.filterWidth],
        [options.strideH, options.strideW],
    )


def _pool_over_the_whole_map(graph: Graph, op: Any) -> None:
    _, height, width, _ = (int(n) for n in graph.tensor(op.inputs[0]).shape)
    options = op.builtinOptions
    options.padding = schema.Padding.VALID
    options.filterHeight = options.strideH = height  # XNNPACK takes no stride larger than the filter
    options.filterWidth = options.strideW = width


def _slice_to_the_end(graph: Graph, op: Any) -> None:
    """Make a slice that ends where the map ends do so at every size: -1 is "to the end" in SLICE, a bit in the other.

    It changes nothing at the graph's own size.
    """
    if graph.kind(op) not in (Op.SLICE, Op.STRIDED_SLICE) or len(shape := graph.tensor(op.inputs[0]).shape) != 4:
        return
    begin, end = (_constant(graph, int(index)) for index in op.inputs[1:3])
    if begin is None or end is None:
        return
    for axis in (_HEIGHT, _WIDTH):
        if graph.kind(op) == Op.STRIDED_SLICE:
            op.builtinOptions.endMask |= (int(end[axis]) == shape[axis]) << axis
        elif begin[axis] + end[axis] == shape[axis]:
            end[axis] = -1
    if graph.kind(op) == Op.SLICE:
        op.inputs[2] = _with_value(graph, int(op.inputs[2]), end)


def _constant(graph: Graph, index: int) -> Any:
    """A copy of a constant int32 tensor's values; None if it is computed."""
    data = graph.model.buffers[graph.tensor(index).buffer].data
    return None if data is None else np.frombuffer(bytes(data), np.int32).copy()


def _with_value(graph: Graph, index: int, value: Any) -> int:
    """A new constant like the tensor `index`, which others may read, too."""
    old, tensor, buffer = graph.tensor(index), schema.TensorT(), schema.BufferT()
    buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    graph.model.buffers.append(buffer)
    tensor.name = b"%s_to_the_end_%d" % (graph.tensor_name(index).encode(), len(graph.subgraph.tensors))
    tensor.shape, tensor.type, tensor.hasRank = old.shape, old.type, True
    tensor.buffer = len(graph.model.buffers) - 1
    graph.subgraph.tensors.append(tensor)
    return len(graph.subgraph.tensors) - 1


def _fits(before: Graph, after: Graph) -> bool:
    """Whether no map is empty, and the output has the shape that it had: a dense layer takes a larger map for more."""
    outputs = [[list(graph.tensor(i).shape) for i in graph.subgraph.outputs] for graph in (before, after)]
    computed = [after.tensor(int(i)).shape for op in after.operators for i in op.outputs]
    return outputs[0] == outputs[1] and all(int(n) > 0 for shape in computed for n in shape)
