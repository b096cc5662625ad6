"""The rewrite is exact, is found by structure, and touches nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import Input, Model, layers

from chalicelib.inference.card import InputSpec
from convert import rewrite
from convert.graph import Graph, Op
from convert.opening.keras_files import from_keras
from convert.opening.tflite import Reference
from convert.pictures import find_pictures, tensors
from convert.sources import Source
from tests.tools.convert.conftest import SIDE_PX

INCEPTION_POOLS = 9


def spec_of(side: int) -> InputSpec:
    return InputSpec(side, side, "RGB", 1.0, (127.5,) * 3, (127.5,) * 3)


def rewritten(tflite: bytes) -> tuple[Graph, int]:
    graph = Graph(tflite)
    return graph, rewrite.move_convolutions_before_pools(graph)


def average_pools(graph: Graph) -> list[int]:
    """The channels that each 3x3 average pool sees."""
    pools = [
        op for op in graph.operators if graph.kind(op) == Op.AVERAGE_POOL_2D and op.builtinOptions.filterHeight == 3
    ]
    return [int(graph.tensor(op.inputs[0]).shape[3]) for op in pools]


def assert_same_function(before: bytes, after: bytes, folder: Path, side: int) -> None:
    original, changed = Reference(before), Reference(after)
    for tensor in tensors(find_pictures(folder, "validation")[:6], spec_of(side)):
        wanted, got = original(tensor), changed(tensor)
        # float32 rounds each of the some hundred thousand additions; the order of them is what changed
        np.testing.assert_allclose(got, wanted, rtol=2e-4, atol=1e-5 * np.abs(wanted).max())


def test_a_users_own_inception_is_rewritten_exactly(float_tflite: bytes, pictures: Path) -> None:
    graph, moved = rewritten(float_tflite)
    assert moved == 3
    assert max(average_pools(graph)) < max(average_pools(Graph(float_tflite)))
    assert_same_function(float_tflite, graph.serialize(), pictures, SIDE_PX)


class TestInceptionV3:
    def test_it_is_rewritten_exactly(self, inception_v3: Source, imagenet_sample: Path) -> None:
        graph, moved = rewritten(inception_v3.tflite)
        assert moved == INCEPTION_POOLS
        assert_same_function(inception_v3.tflite, graph.serialize(), imagenet_sample, 299)

    def test_no_average_pool_sees_more_than_320_channels(self, inception_v3: Source) -> None:
        assert max(average_pools(Graph(inception_v3.tflite))) == 2048
        channels = average_pools(rewritten(inception_v3.tflite)[0])
        assert len(channels) == INCEPTION_POOLS
        assert max(channels) <= 320

    def test_batch_norm_is_folded(self, inception_v3: Source) -> None:
        graph = Graph(inception_v3.tflite)
        assert {graph.kind(op) for op in graph.operators}.isdisjoint({Op.MUL, Op.ADD, Op.RSQRT, Op.SUB})


def small(*middle: Any) -> bytes:
    x = inputs = Input((16, 16, 3))
    for layer in middle:
        x = layer(x)
    return from_keras(Model(inputs, layers.Flatten()(layers.GlobalAveragePooling2D()(x))), "small", {}).tflite


POOL = {"pool_size": 3, "strides": 1, "padding": "same"}


@pytest.mark.parametrize(
    "middle",
    [
        [layers.MaxPooling2D(3, 1, "same"), layers.Conv2D(2, 1)],
        [layers.AveragePooling2D(**POOL), layers.Conv2D(2, 3)],
        [layers.AveragePooling2D(**POOL), layers.Conv2D(2, 1, strides=2)],
        [layers.AveragePooling2D(3, 2, "same"), layers.Conv2D(2, 1)],
        [layers.AveragePooling2D(**POOL), layers.ReLU(), layers.Conv2D(2, 1)],
        [layers.Conv2D(2, 1), layers.AveragePooling2D(**POOL)],
    ],
    ids=["maximum pool", "3x3 convolution", "strided convolution", "strided pool", "ReLU between", "wrong order"],
)
def test_a_model_without_the_pattern_is_left_as_it_is(middle: list[Any]) -> None:
    tflite = small(*middle)
    graph, moved = rewritten(tflite)
    assert moved == 0
    assert graph.serialize() == Graph(tflite).serialize()


def test_a_pool_that_others_read_too_stays() -> None:
    inputs = Input((16, 16, 3))
    pooled = layers.AveragePooling2D(**POOL)(inputs)
    joined = layers.Concatenate()([layers.Conv2D(2, 1)(pooled), pooled])
    tflite = from_keras(Model(inputs, layers.GlobalAveragePooling2D()(joined)), "shared", {}).tflite
    assert rewritten(tflite)[1] == 0


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("activation", [None, "relu", "sigmoid"])
def test_bias_border_and_activation_survive(padding: str, activation: str | None) -> None:
    pool = layers.AveragePooling2D(3, 1, padding)
    conv = layers.Conv2D(2, 1, activation=activation, bias_initializer="random_normal")
    tflite = small(pool, conv)
    graph, moved = rewritten(tflite)
    assert moved == 1
    tensor = np.random.default_rng(0).normal(size=(1, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(Reference(graph.serialize())(tensor), Reference(tflite)(tensor), rtol=1e-4, atol=1e-6)


def test_a_final_softmax_is_left_to_serving(float_tflite: bytes) -> None:
    graph = Graph(float_tflite)
    operators = len(graph.operators)
    rewrite.without_final_activation(graph)
    rewrite.without_final_activation(graph)  # the second time there is none
    assert len(graph.operators) == operators - 1
    tensor = np.random.default_rng(0).normal(size=(1, SIDE_PX, SIDE_PX, 3)).astype(np.float32)
    logits, wanted = Reference(graph.serialize())(tensor), Reference(float_tflite)(tensor)
    powers = np.exp(logits - logits.max())
    np.testing.assert_allclose(powers / powers.sum(), wanted, rtol=1e-4, atol=1e-7)
