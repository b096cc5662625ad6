"""Which layers a recipe leaves in float: depthwise ones in dynamic range, small ones beside large, and those named."""

from typing import Any

import numpy as np
import pytest
from keras import Input, Model, layers

from convert import rewrite
from convert.graph import Graph, Op, Type
from convert.modes import Mode
from convert.opening.keras_files import from_keras
from convert.quantize import quantize
from convert.recipe import SMALL_LAYER
from convert.weights import Layer
from convert.weights import layers as layers_of

SIDE = 16


def graph_of(*middle: Any, classes: int = 1000) -> Graph:
    x = inputs = Input((SIDE, SIDE, 3))
    for layer in middle:
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(x)
    graph = Graph(from_keras(Model(inputs, layers.Dense(classes)(x)), "network", {}).tflite)
    rewrite.add_signature(graph)
    return graph


@pytest.fixture(scope="module")
def separable() -> Graph:
    """Depthwise and pointwise layers as in MobileNet, two of them small, and one layer that holds most weights."""
    return graph_of(
        layers.Conv2D(32, 3),
        layers.DepthwiseConv2D(3),
        layers.Conv2D(96, 1),
        layers.DepthwiseConv2D(5),
    )


def quantized(graph: Graph, mode: Mode, keep_float: frozenset[str] = frozenset()) -> list[Layer]:
    tensors = [np.random.default_rng(0).random((1, SIDE, SIDE, 3)).astype(np.float32)]
    return layers_of(Graph(quantize(graph, mode, tensors, keep_float)))


def kinds_in_8_bits(found: list[Layer]) -> list[str]:
    return [layer.kind for layer in found if layer.type == Type.INT8]


def test_dynamic_range_leaves_depthwise_and_small_layers_in_float(separable: Graph) -> None:
    assert kinds_in_8_bits(quantized(separable, "dynamic")) == ["FULLY_CONNECTED"]


def test_int8_takes_every_layer(separable: Graph) -> None:
    assert len(kinds_in_8_bits(quantized(separable, "int8"))) == 5


def test_a_network_of_small_layers_is_quantised_whole() -> None:
    graph = graph_of(layers.Conv2D(16, 3), layers.Conv2D(24, 3), classes=4)
    assert max(layer.elements for layer in layers_of(graph)) <= SMALL_LAYER
    assert len(kinds_in_8_bits(quantized(graph, "dynamic"))) == 3


@pytest.mark.parametrize("mode", ["dynamic", "int8", "float16"])
def test_the_layers_that_are_named_stay_in_float_and_no_others(mode: Mode) -> None:
    graph = graph_of(*(layers.Conv2D(160, 3) for _ in range(5)))  # the first has 4,320 weights, so none is small
    names = [layer.name for layer in layers_of(graph)]
    found = quantized(graph, mode, frozenset({names[1], names[4]}))
    assert [i for i, layer in enumerate(found) if layer.type == Type.FLOAT32] == [1, 4]


def test_a_name_that_begins_another_name_means_its_own_layer_alone() -> None:
    graph = graph_of(*(layers.Conv2D(64, 3) for _ in range(3)))
    for op, name in zip(
        [op for op in graph.operators if graph.kind(op) == Op.CONV_2D], (b"a", b"a;b", b"a.b"), strict=True
    ):
        graph.tensor(op.outputs[0]).name = name
    found = quantized(graph, "float16", frozenset({"a"}))
    assert [layer.name for layer in found if layer.type == Type.FLOAT32] == ["a"]
