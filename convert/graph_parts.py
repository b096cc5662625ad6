"""New tensors, constants and operators of a graph, and the values of its constants."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.graph import Graph, Type, operator_code


def add_tensor(graph: Graph, name: str, shape: Sequence[int], tensor_type: int, buffer: int = 0) -> int:
    """Add a tensor, whose values are computed if its buffer is 0; returns its index."""
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name.encode(), np.array(shape, np.int32), tensor_type
    tensor.buffer, tensor.hasRank = buffer, True
    graph.subgraph.tensors.append(tensor)
    return len(graph.subgraph.tensors) - 1


def add_constant(graph: Graph, name: str, values: Sequence[int] | NDArray[np.float32]) -> int:
    """Add whole numbers as an int32 tensor, or a float32 array as it is; returns the tensor's index."""
    array = values if isinstance(values, np.ndarray) else np.array(values, np.int32)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(array.tobytes(), np.uint8)
    graph.model.buffers.append(buffer)
    stored = Type.FLOAT32 if array.dtype == np.float32 else Type.INT32
    return add_tensor(graph, name, array.shape, stored, len(graph.model.buffers) - 1)


def float_constant(graph: Graph, index: int) -> NDArray[np.float32] | None:
    """The values of a float32 constant; None if the tensor is computed, or has another type."""
    tensor = graph.tensor(index)
    data = graph.model.buffers[tensor.buffer].data
    if data is None or tensor.type != Type.FLOAT32:
        return None
    return np.frombuffer(bytes(data), np.float32).reshape(tensor.shape)


def new_operator(graph: Graph, kind: int, inputs: Sequence[int], output: int, options: Any = None) -> Any:
    """An operator with one output, which is not in the graph's list yet; `options` is one of the schema's objects."""
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = _code(graph, kind), list(inputs), [output]
    if options is not None:
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        operator.builtinOptions = options
    return operator


def _code(graph: Graph, kind: int) -> int:
    """The index of an operator's code, added if it is not there."""
    for index, code in enumerate(graph.model.operatorCodes):
        if code.builtinCode == kind:
            return index
    graph.model.operatorCodes.append(operator_code(kind))
    return len(graph.model.operatorCodes) - 1
