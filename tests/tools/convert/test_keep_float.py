"""A network one of whose layers 8 bits ruin: it comes first in the table, and in float it mends the agreement."""

import re
from typing import Any

import numpy as np
import pytest
from keras import Input, Model, layers

from chalicelib.inference.classifier import softmax
from convert import rewrite
from convert.errors import ConvertError
from convert.explain import LayerError, layer_errors
from convert.graph import Graph
from convert.keep_float import Closeness, Kept, keep
from convert.modes import KeepFloat, Mode
from convert.opening.keras_files import from_keras
from convert.quantize import Quantization

SIDE = 16
RNG = np.random.default_rng(4)
INPUTS = [RNG.normal(size=(1, SIDE, SIDE, 3)).astype(np.float32) for _ in range(20)]
CLOSE = Closeness(agreement=1.0, difference=0.2, scores=softmax, inputs=INPUTS)


def with_outlier() -> Any:
    """Every channel of the layer "spoilt" has one large weight, for a channel of its input that is always 0.

    In float that weight changes nothing. In 8 bits it decides the channel's scale, and all other weights become 0.
    """
    x = inputs = Input((SIDE, SIDE, 3))
    for name in ("first", "spoilt", "third"):
        x = layers.Conv2D(32, 5, activation="relu", name=name)(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = Model(inputs, layers.Dense(10, name="last")(x))
    for layer in model.layers:
        layer.set_weights([RNG.normal(0, 0.2, weights.shape) for weights in layer.get_weights()])
    first, spoilt = model.get_layer("first"), model.get_layer("spoilt")
    kernel, bias = first.get_weights()
    bias[0] = -1000
    first.set_weights([kernel, bias])
    kernel, bias = spoilt.get_weights()
    kernel[2, 2, 0, :] = 200
    spoilt.set_weights([kernel, bias])
    return model


@pytest.fixture(scope="module")
def graph() -> Graph:
    graph = Graph(from_keras(with_outlier(), "network", {}).tflite)
    rewrite.add_signature(graph)
    return graph


def worst_first(quantization: Quantization) -> list[LayerError]:
    return layer_errors(quantization.float32, quantization.model(), INPUTS[:4])


def kept(graph: Graph, wish: KeepFloat, mode: Mode = "dynamic", closeness: Closeness = CLOSE) -> Kept:
    quantization = Quantization(graph, mode, INPUTS)
    return keep(quantization, wish, worst_first(quantization), closeness)


@pytest.mark.parametrize("mode", ["dynamic", "int8"])
class TestEightBits:
    def test_the_spoilt_layer_comes_first_and_the_layers_after_it_are_not_blamed(
        self, graph: Graph, mode: Mode
    ) -> None:
        worst, *others = worst_first(Quantization(graph, mode, INPUTS))
        assert "spoilt" in worst.name
        assert (worst.kind, worst.shape, worst.weights_bytes) == ("CONV_2D", (32, 5, 5, 32), 4 * 5 * 5 * 32 * 32)
        assert worst.error > 0.5
        assert 0 < max(other.error for other in others) < 0.2
        assert any("third" in other.name for other in others)

    def test_auto_keeps_that_layer_alone(self, graph: Graph, mode: Mode) -> None:
        quantization = Quantization(graph, mode, INPUTS)
        is_close = CLOSE.of(quantization.float32)
        assert not is_close(quantization.model())
        found = kept(graph, "auto", mode)
        assert is_close(found.data)
        assert [name for name in found.names if "spoilt" not in name] == []
        assert len(found.names) == 1

    def test_a_number_and_a_pattern_keep_it_too(self, graph: Graph, mode: Mode) -> None:
        assert kept(graph, 1, mode) == kept(graph, re.compile("spoilt"), mode) == kept(graph, "auto", mode)


def test_auto_keeps_nothing_if_the_form_is_close_already(graph: Graph) -> None:
    easy = Closeness(agreement=0.0, difference=1.0, scores=softmax, inputs=INPUTS)
    assert kept(graph, "auto", closeness=easy).names == frozenset()


def test_auto_gives_up_with_a_remedy(graph: Graph) -> None:
    exact = Closeness(agreement=1.0, difference=0.0, scores=softmax, inputs=INPUTS)
    with pytest.raises(ConvertError, match="give --quantize float16"):
        kept(graph, "auto", closeness=exact)


def test_a_pattern_finds_kinds_too(graph: Graph) -> None:
    assert kept(graph, re.compile("FULLY_CONNECTED")).names == {graph.name(graph.last_operator())}


def test_a_pattern_that_matches_nothing_says_where_the_names_are(graph: Graph) -> None:
    with pytest.raises(ConvertError, match="'conv9' matches no layer that would be quantised: --explain"):
        kept(graph, re.compile("conv9"))


def test_all_layers_in_float_are_not_a_quantised_form(graph: Graph) -> None:
    with pytest.raises(ConvertError, match="cannot be quantised to dynamic: none of its layers got smaller"):
        kept(graph, 100)


def test_a_float16_form_has_small_errors_everywhere(graph: Graph) -> None:
    quantization = Quantization(graph, "float16")
    found = layer_errors(quantization.float32, quantization.model(), INPUTS[:2])
    assert len(found) == 4
    assert 0 < found[0].error < 1e-2


def test_a_form_that_is_not_quantised_has_no_errors(graph: Graph) -> None:
    assert layer_errors(graph.serialize(), graph.serialize(), INPUTS[:1]) == []
