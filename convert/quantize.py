"""A float .tflite model to 8 or 16 bits, by Google's AI Edge Quantizer.

The models use the first version of each operator, so that they load in tflite-runtime 2.14 as well as in LiteRT.
"""

import contextlib
import io
from collections.abc import Iterable, Iterator
from typing import Any

from ai_edge_quantizer import quantizer, recipe, recipe_manager
from numpy.typing import NDArray

from convert.errors import ConvertError
from convert.graph import Graph, Op, Type
from convert.modes import Found, Mode


def quantize(graph: Graph, mode: Mode, calibration: Iterable[NDArray[Any]] = ()) -> bytes:
    """The .tflite file of a float graph, which must have a signature, quantised to `mode` (see `modes`).

    For int8, `calibration` gives input tensors, float32 (1, H, W, C), on which the ranges are measured; it must be
    possible to iterate over it more than once. 8-bit weights have one scale for each channel. Raises ConvertError.
    """
    model = graph.serialize()
    if mode == "float32":
        return model
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            job = quantizer.Quantizer(model, _RECIPES[mode]())
            ranges = job.calibrate(_samples(graph, calibration)) if job.need_calibration else None
            quantized = job.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
            return bytes(quantized.quantized_model)
    except (ValueError, RuntimeError) as error:
        raise ConvertError(
            f"cannot quantise to {mode}: {str(error).splitlines()[0]}; try another --quantize"
        ) from error


def _samples(graph: Graph, tensors: Iterable[NDArray[Any]]) -> dict[str, "_Samples"]:
    key, name = graph.signature_names()
    return {key: _Samples(name, tensors)}


class _Samples:
    """Input tensors under the input's name in the signature. The quantiser iterates twice: it counts first."""

    def __init__(self, name: str, tensors: Iterable[NDArray[Any]]) -> None:
        self._name, self._tensors = name, tensors

    def __iter__(self) -> Iterator[dict[str, NDArray[Any]]]:
        return ({self._name: tensor} for tensor in self._tensors)


def _float16() -> Any:
    rules = recipe_manager.RecipeManager()
    rules.add_weight_only_config(
        regex=".*",
        operation_name="*",
        num_bits=16,
        algorithm_key=recipe_manager.AlgorithmName.FLOAT_CASTING,
    )
    return rules.get_quantization_recipe()


_RECIPES = {"dynamic": recipe.dynamic_wi8_afp32, "int8": recipe.static_wi8_ai8, "float16": _float16}


def detect(graph: Graph) -> Found:
    """How an existing .tflite model is quantised."""
    input_type = graph.tensor(graph.subgraph.inputs[0]).type
    if input_type in (Type.INT8, Type.UINT8):
        return "int8" if input_type == Type.INT8 else "uint8"
    layers = (op for op in graph.operators if graph.kind(op) in (Op.CONV_2D, Op.FULLY_CONNECTED))
    types = {graph.tensor(op.inputs[1]).type for op in layers}
    if Type.INT8 in types or Type.UINT8 in types:
        activations = {graph.tensor(op.outputs[0]).type for op in graph.operators}
        return "int8" if Type.INT8 in activations else "dynamic"
    return "float16" if any(tensor.type == Type.FLOAT16 for tensor in graph.subgraph.tensors) else "float32"
