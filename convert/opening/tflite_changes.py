"""Changes of a .tflite graph's ends that leave what it computes as it is."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.graph import Graph, Op, Type, operator_code
from convert.opening.forms import CHANNELS_FIRST


def put_before(graph: Graph, kind: int, shape: list[int], tensor_type: int | None = None) -> None:
    """Put a CAST, RESHAPE or TRANSPOSE to channels first before the graph; `shape` is that of its new input.

    The new input has the type `tensor_type`, or else that of the old one, and its quantisation.
    """
    old = int(graph.subgraph.inputs[0])
    before = graph.tensor(old)
    new = _add_tensor(
        graph, f"{graph.tensor_name(old)}_picture", shape, before.type if tensor_type is None else tensor_type
    )
    graph.tensor(new).quantization = before.quantization
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = _code(graph, kind), [new], [old]
    if kind == Op.CAST:
        operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.CastOptions, schema.CastOptionsT()
        operator.builtinOptions.inDataType, operator.builtinOptions.outDataType = tensor_type, before.type
    elif kind == Op.RESHAPE:
        operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
        operator.builtinOptions = schema.ReshapeOptionsT()
        operator.builtinOptions.newShape = [int(n) for n in before.shape]
        operator.inputs.append(_add_constant(graph, f"{graph.tensor_name(old)}_shape", list(before.shape)))
    else:
        operator.builtinOptionsType = schema.BuiltinOptions.TransposeOptions
        operator.builtinOptions = schema.TransposeOptionsT()
        operator.inputs.append(_add_constant(graph, f"{graph.tensor_name(old)}_axes", list(CHANNELS_FIRST)))
    graph.operators.insert(0, operator)
    graph.subgraph.inputs = [new]
    for mapping in [one for signature in graph.model.signatureDefs or [] for one in signature.inputs or []]:
        mapping.tensorIndex = new


def keep_one_output(graph: Graph, position: int) -> None:
    """Make the output at `position` the only one, and delete the operators that only the others need."""
    kept = int(graph.subgraph.outputs[position])
    graph.subgraph.outputs = [kept]
    for signature in graph.model.signatureDefs or []:
        signature.outputs = [mapping for mapping in signature.outputs if int(mapping.tensorIndex) == kept]
    needed, operators = {kept}, []
    for operator in reversed(graph.operators):
        if needed & {int(i) for i in operator.outputs}:
            operators.append(operator)
            needed |= {int(i) for i in operator.inputs}
    graph.operators[:] = reversed(operators)


def keep_the_first_graph(graph: Graph) -> bool:
    """Delete the graphs of further signatures, which nothing in the first graph refers to; whether there were any."""
    more = len(graph.model.subgraphs) > 1
    if more:
        graph.model.subgraphs = graph.model.subgraphs[:1]
        graph.model.signatureDefs = [one for one in graph.model.signatureDefs or [] if not one.subgraphIndex]
    return more


def _add_tensor(graph: Graph, name: str, shape: list[int], tensor_type: int, buffer: int = 0) -> int:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name.encode(), np.array(shape, np.int32), tensor_type
    tensor.buffer, tensor.hasRank = buffer, True
    graph.subgraph.tensors.append(tensor)
    return len(graph.subgraph.tensors) - 1


def _add_constant(graph: Graph, name: str, values: list[int]) -> int:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.array(values, np.int32).tobytes(), np.uint8)
    graph.model.buffers.append(buffer)
    return _add_tensor(graph, name, [len(values)], Type.INT32, len(graph.model.buffers) - 1)


def _code(graph: Graph, kind: int) -> int:
    """The index of an operator's code, added if it is not there."""
    for index, code in enumerate(graph.model.operatorCodes):
        if code.builtinCode == kind:
            return index
    graph.model.operatorCodes.append(operator_code(kind))
    return len(graph.model.operatorCodes) - 1
