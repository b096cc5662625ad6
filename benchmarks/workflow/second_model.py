"""The digits in another quantisation: the second model of the workflow's trial.

The 8-bit weights are exact multiples of their scales. So a float model with the same weights can be computed from them
at once, while training takes minutes; `python -m convert` turns it into 16 bits, like any float model.
"""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from chalicelib.inference.registry import LABELS_FILE, MODEL_FILE
from convert import __main__ as converter
from convert import screen
from convert.graph import Graph, Op, Type

MODE = "float16"
_STORED: dict[int, Any] = {Type.INT8: np.int8, Type.INT32: np.int32}


def write_second(bundle: Path, models: Path, name: str) -> Path:
    """Write the bundle `models/name`, the 16-bit form of the int8 `bundle`; raises OSError if the converter fails."""
    models.mkdir(parents=True, exist_ok=True)
    source = models / f".{name}.tflite"
    source.write_bytes(float_model((bundle / MODEL_FILE).read_bytes()))
    options = [str(source), "--name", name, "--out", str(models), "--quantize", MODE]
    options += ["--labels", str(bundle / LABELS_FILE), "--preprocess", "tf", "--crop", "1", "--no-rewrite"]
    screen.console.quiet = True
    with contextlib.redirect_stdout(io.StringIO()):
        code = converter.main(options)
    screen.console.quiet = False
    source.unlink()
    if code:
        raise OSError("the converter cannot make the second model: see its message above")
    return models / name


def float_model(data: bytes) -> bytes:
    """An int8 .tflite model in float32, with the same weights and no rounding between the layers."""
    graph = Graph(data)
    for tensor in graph.subgraph.tensors:
        if tensor.quantization is not None and tensor.quantization.scale is not None:
            _to_float(graph, tensor)
    for operator in [op for op in graph.operators if graph.kind(op) == Op.QUANTIZE]:  # from one scale to another
        graph.operators.remove(operator)
        graph.replace_tensor(operator.outputs[0], operator.inputs[0])
    return graph.serialize()


def _to_float(graph: Graph, tensor: Any) -> None:
    """Store (stored - zero_point) * scale instead, for each channel of `quantizedDimension` if there are several."""
    buffer, quantization = graph.model.buffers[tensor.buffer], tensor.quantization
    if buffer.data is not None and len(buffer.data):
        stored = np.frombuffer(bytes(buffer.data), _STORED[tensor.type]).reshape(tensor.shape)
        shape = [1] * stored.ndim
        shape[quantization.quantizedDimension if len(quantization.scale) > 1 else 0] = len(quantization.scale)
        scale, zero_point = (np.reshape(part, shape) for part in (quantization.scale, quantization.zeroPoint))
        real = ((stored - zero_point) * scale).astype(np.float32)
        buffer.data = np.frombuffer(real.tobytes(), np.uint8)
    tensor.type, tensor.quantization = Type.FLOAT32, None
