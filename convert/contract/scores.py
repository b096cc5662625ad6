"""What a model's output means: read from its last operators, and seen in what it answers."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from chalicelib.inference.card import Scores
from chalicelib.inference.evidence import Evidence
from convert.contract.findings import Finding
from convert.errors import ConvertError
from convert.graph import Graph, Op, Type
from convert.weights import makers

_SOFTMAX = "a softmax"
_TO_SHARES = {
    Op.SOFTMAX: _SOFTMAX,
    Op.LOGISTIC: "a sigmoid",
    Op.TANH: "a tanh, scaled,",
    Op.RELU6: "a hard sigmoid",
    Op.RELU_0_TO_1: "a hard sigmoid",
    Op.MINIMUM: "a limit",
    Op.MAXIMUM: "a limit",
}
_LIMITED = (schema.ActivationFunctionType.RELU6, schema.ActivationFunctionType.RELU_N1_TO_1)
_AVERAGING = (
    Op.RESHAPE,
    Op.SQUEEZE,
    Op.EXPAND_DIMS,
    Op.QUANTIZE,
    Op.DEQUANTIZE,
    Op.CAST,
    Op.MEAN,
    Op.AVERAGE_POOL_2D,
    Op.ADD,
    Op.ADD_N,
    Op.SUM,
    Op.MUL,
    Op.DIV,
    Op.CONCATENATION,
    Op.PACK,
    Op.STRIDED_SLICE,
    Op.SLICE,
    Op.TRANSPOSE,
    Op.SUB,
)
"""What may follow one of these and still give probabilities; what is seen decides whether it does."""
_ROOM = 2e-3
"""By which probabilities may leave 0..1, and their sum 1: half-precision and 8-bit outputs are rounded."""
_ROOM_8_BITS = 0.02
LEAST_FEATURES = 16
"""So many logits are not all positive for each of several pictures; fewer may be."""


def scores_from(graph: Graph, seen: Iterable[NDArray[Any]]) -> Finding[Scores]:
    """What the output means, by the graph and by what the model answered to several pictures, float (outputs,) each.

    Raises ConvertError for a softmax of one output, and for what are no scores.
    """
    outputs = np.stack([np.asarray(output, np.float64) for output in seen])
    origin = _origin(graph)
    room = _ROOM if graph.tensor(graph.subgraph.outputs[0]).type == Type.FLOAT32 else _ROOM_8_BITS
    are_shares = outputs.min() >= -room and outputs.max() <= 1 + room
    sum_to_one = are_shares and bool(np.all(np.abs(outputs.sum(axis=1) - 1) <= room * 5))
    if outputs.shape[1] == 1 and origin == _SOFTMAX:
        raise ConvertError(
            "the model's only output is a softmax, which is always 1: train it with a sigmoid, or with two outputs"
        )
    if are_shares and origin is not None:
        return Finding("probabilities", "graph", f"{origin} gives them")
    if outputs.shape[1] == 1:
        kind: Evidence = "assumption" if are_shares else "graph"
        return Finding("sigmoid", kind, "the only output is no sigmoid, so it is taken for a logit")
    _refuse_features(outputs)
    if sum_to_one:
        return Finding("probabilities", "graph", "they sum to 1 for every picture tried")
    return Finding("logits", "graph", "the last layer has no softmax, and the values leave 0..1")


def _refuse_features(outputs: NDArray[np.float64]) -> None:
    """Raise ConvertError for embeddings and for the features before a classifier's last layer."""
    lengths = np.linalg.norm(outputs, axis=1)
    if outputs.min() < 0 and np.allclose(lengths, 1, atol=1e-3):
        raise ConvertError(
            f"the model's {outputs.shape[1]} values have the length 1 for every picture, as embeddings have: "
            "only classifiers are served; give --scores if they are scores of classes"
        )
    if outputs.shape[1] >= LEAST_FEATURES and outputs.min() >= 0 and outputs.max() > 1:
        raise ConvertError(
            f"the model's {outputs.shape[1]} values lie in 0..{outputs.max():.3g}, as the features before a last layer "
            "do: add the layer that classifies, or give --scores if they are scores of classes"
        )


def _origin(graph: Graph) -> str | None:
    """What gives the probabilities, in words, if all ways to the output come from a softmax or a sigmoid."""
    made_by = makers(graph)
    found, waiting = set(), [int(graph.subgraph.outputs[0])]
    while waiting:
        operator = made_by.get(waiting.pop())
        if operator is None:
            continue  # a constant, or the input
        kind = graph.kind(operator)
        if kind in _TO_SHARES:
            found.add(_TO_SHARES[kind])
        elif getattr(operator.builtinOptions, "fusedActivationFunction", None) in _LIMITED:
            found.add(_TO_SHARES[Op.RELU6])
        elif kind in _AVERAGING:
            waiting += [int(index) for index in operator.inputs]
        else:
            return None
    return " and ".join(sorted(found)) or None
