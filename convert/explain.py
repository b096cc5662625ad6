"""How far each layer of a quantised model is from the same layer of the float model, each given the float input.

The quantiser's own comparison (`Quantizer.validate`) runs the two models side by side. There an error of one layer
shows in all layers after it. Here every quantised operator is put into the float model beside its float form, and
reads what that reads: its error is its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from chalicelib.inference.preprocessing import dequantize
from convert.graph import CHANGES_NO_VALUE, Graph, Op, Type, operator_code
from convert.weights import kind_name, layers, makers

_INTEGERS = (Type.INT8, Type.UINT8, Type.INT16)


@dataclass(frozen=True)
class LayerError:
    """One operator that computes otherwise than its float form."""

    name: str
    """See `Graph.name`: what `--keep-float` takes."""
    kind: str
    shape: tuple[int, ...]
    """Of the weights, or of the output if there are none."""
    weights_bytes: int
    """Of the float form's weights; 0 if there are none."""
    error: float
    """Root of the sum of squared differences of the output, divided by that of its float values."""


def layer_errors(float_model: bytes, quantized: bytes, inputs: Iterable[NDArray[Any]]) -> list[LayerError]:
    """Every operator that was quantised, worst first, on input tensors float32 (1, H, W, C), at least one.

    Both files come from one graph: operators are recognised by their outputs' names.
    """
    pair = _SideBySide(Graph(float_model), Graph(quantized))
    if not pair.twins:
        return []
    interpreter = Interpreter(model_content=pair.serialize())
    interpreter.allocate_tensors()
    details = {detail["index"]: detail for detail in interpreter.get_output_details()}
    squares = np.zeros((len(pair.twins), 2))
    for tensor in inputs:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
        interpreter.invoke()
        for row, (_, wanted, got) in zip(squares, pair.twins, strict=True):
            exact, rounded = (_values(interpreter, details[index]) for index in (wanted, got))
            row += np.square(rounded - exact).sum(), np.square(exact).sum()
    errors = np.sqrt(squares[:, 0] / np.maximum(squares[:, 1], np.finfo(np.float64).tiny))
    found = [pair.described(op, float(error)) for (op, _, _), error in zip(pair.twins, errors, strict=True)]
    return sorted(found, key=lambda one: (-one.error, one.name))


def _values(interpreter: Any, detail: dict[str, Any]) -> NDArray[np.float64]:
    raw = interpreter.get_tensor(detail["index"])
    scale, zero_point = detail["quantization"]
    return np.asarray(dequantize(raw, scale, zero_point) if scale else raw, np.float64)


class _SideBySide:
    """The float graph with a copy of each quantised operator, as outputs both."""

    def __init__(self, graph: Graph, quantized: Graph) -> None:
        self._graph, self._other = graph, quantized
        self._weights = {layer.name: layer for layer in layers(graph)}
        self._makers = makers(quantized)
        self._by_name = {graph.tensor_name(i): i for i in range(len(graph.subgraph.tensors))}
        self._codes = len(graph.model.operatorCodes)
        graph.model.operatorCodes += quantized.model.operatorCodes
        graph.model.signatureDefs = None
        self._quantize = schema.OperatorT()
        self._quantize.opcodeIndex = len(quantized.model.operatorCodes)
        graph.model.operatorCodes.append(operator_code(Op.QUANTIZE))
        by_name = {quantized.name(op): op for op in quantized.operators if len(op.outputs) == 1}
        self.twins: list[tuple[Any, int, int]] = []
        """Each float operator, with the indices of its output and of its quantised copy's."""
        for op in list(graph.operators):
            other = by_name.get(graph.name(op)) if len(op.outputs) == 1 else None
            if other is not None and self._is_quantized(op, other):
                self.twins.append((op, int(op.outputs[0]), self._copy(op, other)))

    def serialize(self) -> bytes:
        """The .tflite file, whose outputs are those of every pair."""
        self._graph.subgraph.outputs = sorted({index for _, *two in self.twins for index in two})
        return self._graph.serialize()

    def described(self, op: Any, error: float) -> LayerError:
        """An operator of the float graph with its error."""
        name, kind = self._graph.name(op), kind_name(self._graph.kind(op))
        weights = self._weights.get(name)
        shape = weights.shape if weights else tuple(int(n) for n in self._graph.tensor(op.outputs[0]).shape)
        return LayerError(name, kind, shape, weights.weights_bytes if weights else 0, error)

    def _is_quantized(self, op: Any, other: Any) -> bool:
        """Whether the operator reads or writes anything else than its float form, through DEQUANTIZE or not."""
        if self._graph.kind(op) != self._other.kind(other) or self._graph.kind(op) in CHANGES_NO_VALUE:
            return False
        stored = [(self._constant(index), index) for index in other.inputs if index >= 0]
        read = [self._other.tensor(index if constant is None else constant).type for constant, index in stored]
        return any(kind in (*_INTEGERS, Type.INT4, Type.FLOAT16) for kind in read)

    def _copy(self, op: Any, other: Any) -> int:
        """Add a copy of the quantised operator that reads the float graph; returns the index of its output."""
        made = self._new_tensor(self._other.tensor(other.outputs[0]), self._graph.tensor(op.outputs[0]).shape)
        self._add(other, [self._brought(int(index)) for index in other.inputs], made)
        return made

    def _brought(self, index: int) -> int:
        """The index in the float graph of what the quantised operator reads there; constants come along."""
        if index < 0:  # an optional input that is absent
            return index
        tensor = self._other.tensor(index)
        data = self._other.model.buffers[tensor.buffer].data
        if data is not None:
            return self._new_tensor(tensor, tensor.shape, data)
        if self._constant(index) is not None:
            made = self._new_tensor(tensor, tensor.shape)
            self._add(self._makers[index], [self._brought(int(i)) for i in self._makers[index].inputs], made)
            return made
        origin = self._by_name[self._other.tensor_name(self._activation(index))]
        if tensor.type not in _INTEGERS:
            return origin
        made = self._new_tensor(tensor, self._graph.tensor(origin).shape)
        self._add(self._quantize, [origin], made)
        return made

    def _constant(self, index: int) -> int | None:
        """The constant that a tensor is made float from, or None."""
        maker = self._makers.get(int(index))
        if maker is None or self._other.kind(maker) != Op.DEQUANTIZE:
            return None
        stored = int(maker.inputs[0])
        return stored if self._other.model.buffers[self._other.tensor(stored).buffer].data is not None else None

    def _activation(self, index: int) -> int:
        """The tensor that both graphs have, before changes of its type that the quantiser put in."""
        while self._other.tensor_name(index) not in self._by_name:
            index = int(self._makers[index].inputs[0])
        return index

    def _new_tensor(self, like: Any, shape: Any, data: Any = None) -> int:
        tensor, buffer = schema.TensorT(), schema.BufferT()
        tensor.type, tensor.quantization, tensor.shape, buffer.data = like.type, like.quantization, shape, data
        tensor.name, tensor.buffer = b"copy#%d" % len(self._graph.subgraph.tensors), len(self._graph.model.buffers)
        self._graph.model.buffers.append(buffer)
        self._graph.subgraph.tensors.append(tensor)
        return len(self._graph.subgraph.tensors) - 1

    def _add(self, like: Any, inputs: list[int], output: int) -> None:
        operator = schema.OperatorT()
        operator.builtinOptions, operator.builtinOptionsType = like.builtinOptions, like.builtinOptionsType
        operator.opcodeIndex, operator.inputs, operator.outputs = self._codes + like.opcodeIndex, inputs, [output]
        self._graph.operators.append(operator)
