"""Writes the tiny models under tests/data/tiny: `python -m tests.support.make_models`. Needs LiteRT's schema module.

Each is a real .tflite file of one to three operators, so small that its answers can be computed by hand.
They are committed, so that every environment can test with them. A test proves that this script still
writes the same bytes.
"""

from collections.abc import Iterator
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.support import paths

TINY_DIR = paths.DATA / "tiny"
FLOAT, INT8, UINT8 = schema.TensorType.FLOAT32, schema.TensorType.INT8, schema.TensorType.UINT8
OP = schema.BuiltinOperator
MEAN_OF_SIDES = np.array([1, 2], np.int32)


class Graph:
    """One subgraph under construction: tensors, operators, buffers."""

    def __init__(self) -> None:
        self._model, self._graph = schema.ModelT(), schema.SubGraphT()
        self._model.version, self._model.description = 3, b"tiny"
        self._model.buffers, self._model.operatorCodes = [schema.BufferT()], []
        self._model.subgraphs = [self._graph]
        self._graph.tensors, self._graph.operators = [], []

    def tensor(self, shape: tuple[int, ...], dtype: int, scale: float = 0.0, zero_point: int = 0) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = list(shape), dtype, 0
        tensor.name = f"t{len(self._graph.tensors)}".encode()
        if scale:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([scale], np.float32)
            tensor.quantization.zeroPoint = np.array([zero_point], np.int64)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def constant(self, values: np.ndarray) -> int:
        index = self.tensor(values.shape, FLOAT if values.dtype == np.float32 else schema.TensorType.INT32)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._graph.tensors[index].buffer = len(self._model.buffers)
        self._model.buffers.append(buffer)
        return index

    def operator(self, code: int, inputs: list[int], output: int, options: Any = None, version: int = 1) -> int:
        opcode = schema.OperatorCodeT()
        opcode.builtinCode, opcode.deprecatedBuiltinCode, opcode.version = code, code, version
        self._model.operatorCodes.append(opcode)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self._model.operatorCodes) - 1, inputs, [output]
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
            operator.builtinOptions = options
        self._graph.operators.append(operator)
        return output

    def to_bytes(self, inputs: list[int], outputs: list[int]) -> bytes:
        self._graph.inputs, self._graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _mean(graph: Graph, x: int, output: int, version: int = 1) -> int:
    return graph.operator(OP.MEAN, [x, graph.constant(MEAN_OF_SIDES)], output, schema.ReducerOptionsT(), version)


def channels_float() -> bytes:
    """float32 (1, 8, 8, 3) to (1, 3): the mean of each channel, as logits."""
    graph = Graph()
    x = graph.tensor((1, 8, 8, 3), FLOAT)
    return graph.to_bytes([x], [_mean(graph, x, graph.tensor((1, 3), FLOAT))])


def channels_int8() -> bytes:
    """The same in int8: input of scale 1/128, output of scale 1/64 and zero point -10."""
    graph = Graph()
    x = graph.tensor((1, 8, 8, 3), INT8, 1 / 128)
    return graph.to_bytes([x], [_mean(graph, x, graph.tensor((1, 3), INT8, 1 / 64, -10), version=2)])


def channels_uint8() -> bytes:
    """uint8 (1, 8, 8, 3) of scale 1/255 to (1, 3) of scale 1/256: the mean of each channel, as 0..1."""
    graph = Graph()
    x = graph.tensor((1, 8, 8, 3), UINT8, 1 / 255)
    return graph.to_bytes([x], [_mean(graph, x, graph.tensor((1, 3), UINT8, 1 / 256))])


def _with_background(graph: Graph, x: int) -> int:
    """(1, 4): 5, and the mean of each channel."""
    means = _mean(graph, x, graph.tensor((1, 3), FLOAT))
    weights = graph.constant(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32))
    bias = graph.constant(np.array([5, 0, 0, 0], np.float32))
    dense = schema.FullyConnectedOptionsT()
    return graph.operator(OP.FULLY_CONNECTED, [means, weights, bias], graph.tensor((1, 4), FLOAT), dense)


def background_float() -> bytes:
    """float32 (1, 8, 8, 3) to (1, 4) probabilities, of which the first, "background", is always the largest."""
    graph = Graph()
    x = graph.tensor((1, 8, 8, 3), FLOAT)
    logits = _with_background(graph, x)
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    return graph.to_bytes([x], [graph.operator(OP.SOFTMAX, [logits], graph.tensor((1, 4), FLOAT), softmax)])


def background_logits() -> bytes:
    """`background_float` without its softmax: (1, 4) logits."""
    graph = Graph()
    x = graph.tensor((1, 8, 8, 3), FLOAT)
    return graph.to_bytes([x], [_with_background(graph, x)])


def grey_wide() -> bytes:
    """float32 (1, 4, 10, 1) to (1, 3) logits: brightness, darkness, a constant. Neither square nor coloured."""
    graph = Graph()
    x = graph.tensor((1, 4, 10, 1), FLOAT)
    mean = _mean(graph, x, graph.tensor((1, 1), FLOAT))
    weights, bias = np.array([[1], [-1], [0]], np.float32), np.array([0, 0, 0.25], np.float32)
    constants = [graph.constant(weights), graph.constant(bias)]
    output = graph.tensor((1, 3), FLOAT)
    return graph.to_bytes(
        [x], [graph.operator(OP.FULLY_CONNECTED, [mean, *constants], output, schema.FullyConnectedOptionsT())]
    )


def not_a_number() -> bytes:
    """float32 (1, 8, 8, 3) to (1, 3): the logarithm of each channel's mean, NaN where it is below 0."""
    graph = Graph()
    x = graph.tensor((1, 8, 8, 3), FLOAT)
    means = _mean(graph, x, graph.tensor((1, 3), FLOAT))
    return graph.to_bytes([x], [graph.operator(OP.LOG, [means], graph.tensor((1, 3), FLOAT))])


def two_outputs() -> bytes:
    """float32 (1, 8, 8, 3) to two tensors of (1, 3): no classifier."""
    graph = Graph()
    x = graph.tensor((1, 8, 8, 3), FLOAT)
    return graph.to_bytes([x], [_mean(graph, x, graph.tensor((1, 3), FLOAT)) for _ in range(2)])


def no_batch() -> bytes:
    """`channels_float` without the leading 1 of its shapes: (8, 8, 3) to (3,)."""
    graph = Graph()
    x = graph.tensor((8, 8, 3), FLOAT)
    axes = graph.constant(np.array([0, 1], np.int32))
    return graph.to_bytes(
        [x], [graph.operator(OP.MEAN, [x, axes], graph.tensor((3,), FLOAT), schema.ReducerOptionsT())]
    )


def one_output() -> bytes:
    """float32 (1, 8, 8, 3) to (1, 1): three times the mean of red, less that of green."""
    graph = Graph()
    x = graph.tensor((1, 8, 8, 3), FLOAT)
    means = _mean(graph, x, graph.tensor((1, 3), FLOAT))
    weights = graph.constant(np.array([[3, -1, 0]], np.float32))
    constants = [weights, graph.constant(np.zeros(1, np.float32))]
    output = graph.tensor((1, 1), FLOAT)
    dense = schema.FullyConnectedOptionsT()
    return graph.to_bytes([x], [graph.operator(OP.FULLY_CONNECTED, [means, *constants], output, dense)])


MODELS = (
    channels_float,
    channels_int8,
    channels_uint8,
    background_float,
    background_logits,
    grey_wide,
    not_a_number,
    two_outputs,
    no_batch,
    one_output,
)


def make_models() -> Iterator[tuple[str, bytes]]:
    """File name and content of each."""
    for model in MODELS:
        yield f"{model.__name__}.tflite", model()


if __name__ == "__main__":
    TINY_DIR.mkdir(parents=True, exist_ok=True)
    for file_name, content in make_models():
        (TINY_DIR / file_name).write_bytes(content)
        print(f"{file_name}: {len(content)} bytes")
