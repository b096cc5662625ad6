"""Exact changes to a float graph that make it faster in 8 bits. They look at the structure, not at names.

Batch norm needs no change here: TensorFlow's converter folds it into the convolution before it.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from chalicelib.inference.card import Scores
from convert.graph import Graph, Op, Type
from convert.modes import Mode
from convert.pointwise import merge_convolutions, transpose_pointwise
from convert.recipe import SMALL_LAYER

NO_ACTIVATION = schema.ActivationFunctionType.NONE
SIGNATURE = "serving_default"
MOVED, MERGED, TRANSPOSED = "convolutions_moved_before_pools", "convolutions_merged", "convolutions_transposed"
UNCHANGED = {MOVED: 0, MERGED: 0, TRANSPOSED: 0}


def make_faster(graph: Graph, mode: Mode) -> dict[str, int]:
    """Change a float graph that is to be quantised to `mode`; returns how many convolutions were changed, by how."""
    moved = move_convolutions_before_pools(graph)
    if mode != "dynamic":
        return {**UNCHANGED, MOVED: moved}
    merged = merge_convolutions(graph)
    return {MOVED: moved, MERGED: merged, TRANSPOSED: transpose_pointwise(graph, above=SMALL_LAYER)}


def move_convolutions_before_pools(graph: Graph) -> int:
    """Move each 1x1 convolution that follows an average pool ahead of it; returns how many moved.

    Both are linear, and at the border the pool divides by the same count for every channel. So
    conv(pool(x)) = pool(conv(x)), bias included, for the mean of a constant is the constant. The
    activation stays last: it moves from the convolution to the pool. In 8 bits the pool has no fast
    kernel; after the move it reads the convolution's few channels instead of the concatenation's many.
    """
    pairs = [(pool, conv) for pool in graph.operators if (conv := _following_1x1(graph, pool)) is not None]
    for pool, conv in pairs:
        _swap(graph, pool, conv)
    return len(pairs)


def without_final_activation(graph: Graph) -> Scores:
    """Remove a final softmax or sigmoid; returns what the output means then: "logits", "sigmoid" or "probabilities".

    An 8-bit softmax has steps of 1/256, so that all but the best few of 1,000 classes are tied. The
    served code computes the softmax, or the sigmoid, in float instead.
    """
    last = graph.operators[-1]
    kind = graph.kind(last)
    if kind == Op.SOFTMAX and last.builtinOptions.beta == 1.0:
        meaning: Scores = "logits"
    elif kind == Op.LOGISTIC:
        meaning = "sigmoid"
    else:
        return "probabilities"
    if graph.consumers(last.outputs[0]) or last.outputs[0] != graph.subgraph.outputs[0]:
        return "probabilities"
    graph.operators.pop()
    graph.replace_tensor(last.outputs[0], by=last.inputs[0])
    return meaning


def add_signature(graph: Graph) -> None:
    """Give the graph a signature if it has none: the quantiser addresses the input by its name there."""
    if graph.model.signatureDefs:
        return
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs = [_mapping("input", graph.subgraph.inputs[0])]
    signature.outputs = [_mapping("output", graph.subgraph.outputs[0])]
    graph.model.signatureDefs = [signature]


def _following_1x1(graph: Graph, pool: Any) -> Any:
    """The 1x1 convolution that is the only reader of this 3x3 average pool, both with stride 1; else None."""
    options = pool.builtinOptions
    if graph.kind(pool) != Op.AVERAGE_POOL_2D or options.fusedActivationFunction != NO_ACTIVATION:
        return None
    if (options.filterHeight, options.filterWidth, options.strideH, options.strideW) != (3, 3, 1, 1):
        return None
    readers = graph.consumers(pool.outputs[0])
    if len(readers) != 1 or pool.outputs[0] in graph.subgraph.outputs or graph.kind(readers[0]) != Op.CONV_2D:
        return None
    conv = readers[0]
    weights = graph.tensor(conv.inputs[1])
    pointwise = list(weights.shape[1:3]) == [1, 1] and (conv.builtinOptions.strideH, conv.builtinOptions.strideW) == (
        1,
        1,
    )
    whole = weights.shape[3] == graph.tensor(pool.outputs[0]).shape[3]  # not grouped
    return conv if pointwise and whole and graph.tensor(pool.outputs[0]).type == Type.FLOAT32 else None


def _swap(graph: Graph, pool: Any, conv: Any) -> None:
    before, between, after = pool.inputs[0], pool.outputs[0], conv.outputs[0]
    out_channels = graph.tensor(conv.inputs[1]).shape[0]
    graph.tensor(between).shape = np.array([*graph.tensor(before).shape[:3], out_channels], np.int32)
    conv.inputs, conv.outputs = [before, *conv.inputs[1:]], [between]
    pool.inputs, pool.outputs = [between], [after]
    pool.builtinOptions.fusedActivationFunction = conv.builtinOptions.fusedActivationFunction
    conv.builtinOptions.fusedActivationFunction = NO_ACTIVATION
    i, j = (next(k for k, op in enumerate(graph.operators) if op is wanted) for wanted in (pool, conv))
    graph.operators[i], graph.operators[j] = conv, pool


def _mapping(name: str, index: int) -> Any:
    mapping = schema.TensorMapT()
    mapping.name, mapping.tensorIndex = name, index
    return mapping
