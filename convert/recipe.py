"""Which operators are quantised, and how: a recipe for Google's AI Edge Quantizer, made for one graph."""

import re
from typing import Any

from ai_edge_quantizer import recipe, recipe_manager
from ai_edge_quantizer.qtyping import TFLOperationName

from convert.graph import Graph
from convert.modes import Mode
from convert.weights import layers

SMALL_LAYER = 4096
"""A layer of at most this many weights stays in float in dynamic range, if `SMALL_SHARE` allows it.

Dynamic range quantises a layer's input at each inference. In a layer of few weights, which reads many pixels, that
takes longer than the 8-bit arithmetic saves. nsfwjs's MobileNet v2 on AVX2, one thread: float32 9.3 ms, dynamic range
16.8 ms, with the depthwise layers in float 11.2 ms, with the 8 layers of at most 4,096 weights in float too 8.8 ms.
"""
SMALL_SHARE = 0.05
"""The small layers' largest share of all weights: a network that has only small layers is quantised whole."""


def recipe_for(graph: Graph, mode: Mode, keep_float: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """The recipe of a mode other than float32; operators whose names (`Graph.name`) are in `keep_float` stay in float.

    Dynamic range leaves DEPTHWISE_CONV_2D in float: XNNPACK has no kernel for it, and LiteRT's is slower than float.
    int8 leaves AVERAGE_POOL_2D in float: XNNPACK has no 8-bit kernel for it, so that it would leave the delegate. In
    float it stays, between a DEQUANTIZE and a QUANTIZE, which are fast and round no more than the 8-bit kernel does.
    """
    rules = recipe_manager.RecipeManager()
    rules.load_quantization_recipe(_BASE[mode]())
    if mode == "dynamic":
        rules.add_quantization_config(".*", TFLOperationName.DEPTHWISE_CONV_2D, algorithm_key=_FLOAT)
        keep_float |= _small_layers(graph)
    elif mode == "int8":
        rules.add_quantization_config(".*", TFLOperationName.AVERAGE_POOL_2D, algorithm_key=_FLOAT)
    for op in graph.operators:
        if op.outputs and graph.name(op) in keep_float:
            rules.add_quantization_config(_scope(graph, op), TFLOperationName.ALL_SUPPORTED, algorithm_key=_FLOAT)
    return list(rules.get_quantization_recipe())


def _scope(graph: Graph, op: Any) -> str:
    """A regular expression for this operator alone: the quantiser joins the names of an operator's outputs."""
    return "^" + re.escape("".join(f"{graph.tensor_name(index)};" for index in op.outputs)) + "$"


def _small_layers(graph: Graph) -> frozenset[str]:
    weighted = [layer for layer in layers(graph) if layer.kind != "DEPTHWISE_CONV_2D"]
    small = [layer for layer in weighted if layer.elements <= SMALL_LAYER]
    share = sum(layer.elements for layer in small) / max(1, sum(layer.elements for layer in weighted))
    return frozenset(layer.name for layer in small) if share <= SMALL_SHARE else frozenset()


def _float16() -> Any:
    rules = recipe_manager.RecipeManager()
    rules.add_weight_only_config(
        regex=".*",
        operation_name="*",
        num_bits=16,
        algorithm_key=recipe_manager.AlgorithmName.FLOAT_CASTING,
    )
    return rules.get_quantization_recipe()


_FLOAT = recipe_manager.AlgorithmName.NO_QUANTIZE
_BASE = {"dynamic": recipe.dynamic_wi8_afp32, "int8": recipe.static_wi8_ai8, "float16": _float16}
