"""A float .tflite model to 8 or 16 bits, by Google's AI Edge Quantizer.

The models use the first version of each operator, so that they load in tflite-runtime 2.14 as well as in LiteRT.
"""

import contextlib
import io
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from ai_edge_quantizer import quantizer
from ai_edge_quantizer.calibrator import CalibrationMode
from numpy.typing import NDArray

from convert.errors import ConvertError, NothingQuantizedError
from convert.graph import Graph, Type
from convert.modes import Found, Mode
from convert.recipe import recipe_for
from convert.weights import KINDS, WEIGHTS, layers, makers, stored_weights

_IN_LITERT = CalibrationMode.CALIBRATION_PROFILER_BASED
"""LiteRT itself keeps each tensor's range: the same ranges as in Python within 5e-7, in a tenth of the time."""
NO_LAYERS: frozenset[str] = frozenset()


def quantize(
    graph: Graph, mode: Mode, calibration: Iterable[NDArray[Any]] = (), keep_float: frozenset[str] = NO_LAYERS
) -> bytes:
    """The .tflite file of a float graph, which must have a signature, quantised to `mode` (see `modes`).

    For int8, `calibration` gives input tensors, float32 (1, H, W, C), on which the ranges are measured; it must be
    possible to iterate over it more than once. 8-bit weights have one scale for each channel. The operators named in
    `keep_float` (see `Graph.name`) stay in float. Raises ConvertError.
    """
    return Quantization(graph, mode, calibration).model(keep_float)


class Quantization:
    """One float graph, serialised and calibrated once, from which several quantised forms are made."""

    def __init__(self, graph: Graph, mode: Mode, calibration: Iterable[NDArray[Any]] = ()) -> None:
        """The arguments of `quantize`. A later change of the graph has no effect."""
        self._graph, self._calibration = graph, calibration
        self.mode = mode
        self.float32 = graph.serialize()
        """The float model, from which all others are made."""
        self._ranges: Any = None

    def model(self, keep_float: frozenset[str] = NO_LAYERS) -> bytes:
        """The .tflite file with the operators named in `keep_float` in float.

        It has the mode that was asked for, and is smaller than the float file: else this raises NothingQuantizedError.
        Raises ConvertError if the quantiser fails.
        """
        if self.mode == "float32":
            return self.float32
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                quantized = self._quantized(keep_float)
        except (ValueError, RuntimeError) as error:
            raise ConvertError(
                f"cannot quantise to {self.mode}: {str(error).splitlines()[0]}; try another --quantize"
            ) from error
        self._check(quantized)
        return quantized

    def _check(self, quantized: bytes) -> None:
        graph = Graph(quantized)
        found = detect(graph)
        if found != self.mode or all(layer.type == Type.FLOAT32 for layer in layers(graph)):
            why = "none of its layers got smaller" if found in ("float32", self.mode) else f"it became {found}"
        elif len(quantized) >= len(self.float32):
            why = f"it would take {len(quantized)} bytes instead of {len(self.float32)}"
        else:
            return
        raise NothingQuantizedError(f"the network cannot be quantised to {self.mode}: {why}; give --quantize float32")

    def _quantized(self, keep_float: frozenset[str]) -> bytes:
        if self.mode == "int8" and self._ranges is None:
            whole = quantizer.Quantizer(self.float32, recipe_for(self._graph, self.mode))
            self._ranges = whole.calibrate(
                _samples(self._graph, self._calibration), num_threads=os.cpu_count() or 1, mode=_IN_LITERT
            )
        job = quantizer.Quantizer(self.float32, recipe_for(self._graph, self.mode, keep_float))
        result = job.quantize(self._ranges, enable_progress_bar=False, enable_progress_report=False)
        return bytes(result.quantized_model)


def _samples(graph: Graph, tensors: Iterable[NDArray[Any]]) -> dict[str, "_Samples"]:
    key, name = graph.signature_names()
    return {key: _Samples(name, tensors)}


class _Samples:
    """Input tensors under the input's name in the signature. The quantiser iterates twice: it counts first."""

    def __init__(self, name: str, tensors: Iterable[NDArray[Any]]) -> None:
        self._name, self._tensors = name, tensors

    def __iter__(self) -> Iterator[dict[str, NDArray[Any]]]:
        return ({self._name: tensor} for tensor in self._tensors)


_BY_ACTIVATIONS: dict[int, Found] = {Type.INT8: "int8", Type.UINT8: "uint8", Type.INT16: "int16x8"}
_BY_WEIGHTS: dict[int, Found] = {
    Type.INT8: "dynamic",
    Type.UINT8: "dynamic",
    Type.INT4: "int4",
    Type.INT2: "int2",
    Type.FLOAT16: "float16",
}


def detect(graph: Graph) -> Found:
    """How a model is quantised: as the layers compute that hold most of its weights, layers in float not counted.

    A graph without such layers is what its input is. Written so by Google's quantiser and by TFLiteConverter:
    int8, uint8 and int16x8 have integer activations; dynamic range has float activations and 8-bit weights;
    weight-only and float16 have a DEQUANTIZE between the stored weights and the layer, which computes in float.
    """
    elements: dict[Found, int] = {}
    made_by = makers(graph)
    for op in graph.operators:
        if graph.kind(op) in KINDS and (stored := stored_weights(graph, op, made_by)) is not None:
            kind = _kind(graph, op, int(stored.type))
            elements[kind] = elements.get(kind, 0) + int(np.prod(stored.shape))
    if not elements:
        return _BY_ACTIVATIONS.get(int(graph.tensor(graph.subgraph.inputs[0]).type), "float32")
    elements.pop("float32", None)
    return max(elements, key=elements.__getitem__) if elements else "float32"


def _kind(graph: Graph, op: Any, stored: int) -> Found:
    """How one layer computes, whose weights are stored as this type."""
    activations = int(graph.tensor(op.outputs[0]).type)
    if activations in _BY_ACTIVATIONS:
        return _BY_ACTIVATIONS[activations]
    through_dequantize = graph.tensor(op.inputs[WEIGHTS]).type == Type.FLOAT32
    if through_dequantize and stored in (Type.INT8, Type.UINT8):
        return "weight-only"
    return _BY_WEIGHTS.get(stored, "float32")
