"""Merged convolutions compute what their parts did, to the bit, and are found by structure."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from keras import Input, Model, layers

from chalicelib.inference.engine import delegated, find_engine
from convert import rewrite
from convert.graph import Graph, Op
from convert.opening.keras_files import from_keras
from convert.opening.tflite import Reference
from convert.pointwise import merge_convolutions, transpose_pointwise
from convert.quantize import quantize
from convert.sources import Source

SIDE_PX = 12


def branches(*convolutions: Any, read: Any = None) -> bytes:
    """A network whose convolutions all read one tensor of 8 channels; the .tflite file."""
    inputs = Input((SIDE_PX, SIDE_PX, 3))
    shared = layers.Conv2D(8, 3, padding="same", activation="relu", bias_initializer="random_normal")(inputs)
    joined = layers.Concatenate()([layer(shared) for layer in convolutions])
    return from_keras(Model(inputs, layers.GlobalAveragePooling2D()(joined)), "branches", {}).tflite


def conv(filters: int, size: int = 1, activation: str | None = "relu", **more: Any) -> Any:
    more.setdefault("padding", "same")
    return layers.Conv2D(filters, size, activation=activation, bias_initializer="random_normal", **more)


def a_picture() -> Any:
    return np.random.default_rng(0).normal(size=(1, SIDE_PX, SIDE_PX, 3)).astype(np.float32)


def merged(tflite: bytes) -> tuple[Graph, int]:
    graph = Graph(tflite)
    return graph, merge_convolutions(graph)


def count(graph: Graph, kind: int) -> int:
    return sum(graph.kind(op) == kind for op in graph.operators)


@pytest.mark.parametrize(
    ("parts", "number"),
    [
        ([conv(4), conv(5)], 2),
        ([conv(4), conv(5), conv(7)], 3),
        ([conv(4, activation=None), conv(5, activation="relu6"), conv(6)], 3),
        ([conv(4), conv(5, activation="tanh")], 2),
        ([conv(4, 3), conv(5, 3), conv(6)], 2),
        ([conv(4, 3), conv(5, 3), conv(6), conv(7)], 4),
        ([conv(4, 3, strides=2), conv(5, 3, strides=2)], 2),
        ([conv(4, (1, 7)), conv(5, (1, 7))], 2),
    ],
    ids=["two", "three", "three activations", "tanh", "two of 3x3", "two pairs", "strided", "1x7"],
)
def test_merged_convolutions_answer_as_before(parts: list[Any], number: int) -> None:
    tflite = branches(*parts)
    graph, found = merged(tflite)
    assert found == number
    assert count(graph, Op.CONV_2D) < count(Graph(tflite), Op.CONV_2D)
    np.testing.assert_allclose(
        Reference(graph.serialize())(a_picture()), Reference(tflite)(a_picture()), rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize(
    "parts",
    [
        [conv(4), conv(5, 3)],
        [conv(4, (1, 3)), conv(5, (3, 1))],
        [conv(4), layers.MaxPooling2D(1)],
        [conv(4, groups=2), conv(6, groups=2)],
        [conv(4, 3), conv(5, 3, dilation_rate=2)],
    ],
    ids=["two sizes", "1x3 and 3x1", "one convolution", "grouped", "dilated"],
)
def test_others_stay_as_they_are(parts: list[Any]) -> None:
    tflite = branches(*parts)
    graph, found = merged(tflite)
    assert found == 0
    assert graph.serialize() == Graph(tflite).serialize()


def test_two_strides_or_paddings_stay_apart() -> None:
    inputs = Input((SIDE_PX, SIDE_PX, 3))
    pooled = [
        layers.GlobalAveragePooling2D()(conv(4, 3, **way)(inputs))
        for way in ({"strides": 1}, {"strides": 2}, {"padding": "valid"})
    ]
    tflite = from_keras(Model(inputs, layers.Concatenate()(pooled)), "apart", {}).tflite
    assert merged(tflite)[1] == 0


def test_a_convolution_that_is_an_output_stays() -> None:
    inputs = Input((SIDE_PX, SIDE_PX, 3))
    tflite = from_keras(Model(inputs, layers.Flatten()(conv(2)(inputs))), "output", {}).tflite
    graph = Graph(tflite)
    last = next(op for op in graph.operators if graph.kind(op) == Op.CONV_2D)
    graph.subgraph.outputs = [last.outputs[0]]
    assert merge_convolutions(graph) == 0


def test_the_names_of_the_parts_are_in_the_name_of_the_whole() -> None:
    tflite = branches(conv(4), conv(5))
    names = {Graph(tflite).name(op) for op in Graph(tflite).operators if Graph(tflite).kind(op) == Op.CONV_2D}
    whole = next(op for op in merged(tflite)[0].operators if "+" in merged(tflite)[0].name(op))
    assert set(merged(tflite)[0].name(whole).split("+")) <= names


class TestTransposed:
    """A transposed convolution with a kernel of 1x1 computes the same sums."""

    @pytest.mark.parametrize("activation", [None, "relu", "relu6"])
    @pytest.mark.parametrize("mode", ["float32", "dynamic"])
    def test_it_answers_as_the_convolution_did(self, mode: Any, activation: str | None) -> None:
        tflite = branches(conv(16, activation=activation), conv(8, 3))
        answers = []
        for above in (10_000, 8 * 16 - 1):
            graph = Graph(tflite)
            assert transpose_pointwise(graph, above) == (above < 8 * 16)
            assert count(graph, Op.TRANSPOSE_CONV) == (above < 8 * 16)
            rewrite.add_signature(graph)
            answers.append(Reference(quantize(graph, mode))(a_picture()))
        tolerance = 1e-6 if mode == "float32" else 0.02  # of the input, which has one scale then
        np.testing.assert_allclose(*answers, rtol=tolerance, atol=tolerance * np.abs(answers[0]).max())

    def test_larger_kernels_strides_and_small_layers_stay(self) -> None:
        graph = Graph(branches(conv(16, 3, strides=2), conv(15, 1, strides=2)))
        assert transpose_pointwise(graph, 0) == 0
        graph = Graph(branches(conv(16), conv(15)))
        assert transpose_pointwise(graph, 8 * 15) == 1

    def test_the_engine_runs_it_without_a_delegate_too(self) -> None:
        graph = Graph(branches(conv(16), conv(8, 3)))
        assert transpose_pointwise(graph, 0) == 1
        rewrite.add_signature(graph)
        model = quantize(graph, "dynamic")
        interpreter = Interpreter(
            model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], a_picture())
        interpreter.invoke()
        got = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).reshape(-1)
        np.testing.assert_allclose(got, Reference(model)(a_picture()), atol=0.02 * np.abs(got).max())


class TestInceptionV3:
    """Its blocks have up to four 1x1 convolutions on one concatenation."""

    def test_38_of_its_convolutions_are_merged(self, inception_v3: Source) -> None:
        graph = Graph(inception_v3.tflite)
        changes = rewrite.make_faster(graph, "dynamic")
        assert changes == {rewrite.MOVED: 9, rewrite.MERGED: 38, rewrite.TRANSPOSED: 12}

    def test_the_weights_are_in_the_file_once(self, inception_v3: Source) -> None:
        graph = Graph(inception_v3.tflite)
        rewrite.make_faster(graph, "dynamic")
        assert len(graph.serialize()) < 1.001 * len(inception_v3.tflite)

    def test_dynamic_range_answers_to_the_bit_what_the_parts_did(self, inception_v3: Source) -> None:
        tensor = np.random.default_rng(0).uniform(-1, 1, (1, 299, 299, 3)).astype(np.float32)
        answers = []
        for merge in (False, True):
            graph = Graph(inception_v3.tflite)
            rewrite.move_convolutions_before_pools(graph)
            if merge:
                merge_convolutions(graph)
            rewrite.add_signature(graph)
            answers.append(Reference(quantize(graph, "dynamic"))(tensor))
        np.testing.assert_array_equal(*answers)

    @pytest.mark.parametrize("mode", ["float32", "dynamic", "int8"])
    def test_the_delegate_holds_all_of_it_in_one_piece(self, inception_v3: Source, mode: Any, tmp_path: Any) -> None:
        graph = Graph(inception_v3.tflite)
        rewrite.make_faster(graph, mode)
        rewrite.without_final_activation(graph)
        rewrite.add_signature(graph)
        tensor = np.random.default_rng(0).uniform(-1, 1, (1, 299, 299, 3)).astype(np.float32)
        (tmp_path / "model.tflite").write_bytes(quantize(graph, mode, [tensor]))
        held = delegated(find_engine("litert").load(tmp_path / "model.tflite", 1))
        assert held is not None
        assert (held.partitions, held.outside) == (1, {})
