"""Changes of a .tflite graph's ends that leave what it computes as it is."""

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from convert.graph import Graph, Op
from convert.graph_parts import add_constant, add_tensor, new_operator
from convert.opening.forms import CHANNELS_FIRST


def put_before(graph: Graph, kind: int, shape: list[int], tensor_type: int | None = None) -> None:
    """Put a CAST, RESHAPE or TRANSPOSE to channels first before the graph; `shape` is that of its new input.

    The new input has the type `tensor_type`, or else that of the old one, and its quantisation.
    """
    old = int(graph.subgraph.inputs[0])
    before = graph.tensor(old)
    new = add_tensor(
        graph, f"{graph.tensor_name(old)}_picture", shape, before.type if tensor_type is None else tensor_type
    )
    graph.tensor(new).quantization = before.quantization
    inputs = [new]
    options: Any
    if kind == Op.CAST:
        options = schema.CastOptionsT()
        options.inDataType, options.outDataType = tensor_type, before.type
    elif kind == Op.RESHAPE:
        options = schema.ReshapeOptionsT()
        options.newShape = [int(n) for n in before.shape]
        inputs.append(add_constant(graph, f"{graph.tensor_name(old)}_shape", [int(n) for n in before.shape]))
    else:
        options = schema.TransposeOptionsT()
        inputs.append(add_constant(graph, f"{graph.tensor_name(old)}_axes", CHANNELS_FIRST))
    operator = new_operator(graph, kind, inputs, old, options)
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
