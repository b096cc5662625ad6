"""A file of any age looks the same as a graph, and a graph of open size gets the size that is asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from keras import Input, Model, layers

from convert import rewrite
from convert.errors import ConvertError
from convert.graph import Graph, Op
from convert.modes import MODES, Mode
from convert.opening.keras_files import from_keras
from convert.opening.tflite import Reference
from convert.quantize import detect, quantize


def as_older(data: bytes) -> bytes:
    """The file as TensorFlow before 2.4 wrote it: no `builtinCode`, no signature."""
    graph = Graph(data)
    for code in graph.model.operatorCodes:
        code.deprecatedBuiltinCode, code.builtinCode = code.builtinCode, 0
    graph.model.signatureDefs = None
    return graph.serialize()


class TestOlderFiles:
    def test_the_quantiser_finds_their_operators(self, float_tflite: bytes) -> None:
        graph, newer = Graph(as_older(float_tflite)), Graph(float_tflite)
        for each in (graph, newer):
            rewrite.add_signature(each)
        model = quantize(graph, "dynamic")
        assert detect(Graph(model)) == "dynamic"
        assert len(model) == pytest.approx(len(quantize(newer, "dynamic")), rel=0.01)

    def test_automl_vision_edge_has_its_operators(self, test_data: Path) -> None:
        graph = Graph((test_data / "sources/automl_vision_edge.tflite").read_bytes())
        assert {graph.model.operatorCodes[op.opcodeIndex].builtinCode for op in graph.operators} >= {
            Op.CONV_2D,
            Op.DEPTHWISE_CONV_2D,
            Op.SOFTMAX,
        }
        assert detect(graph) == "uint8"


def test_tensors_get_names_that_no_other_has(float_tflite: bytes) -> None:
    graph = Graph(float_tflite)
    for tensor in graph.subgraph.tensors:
        tensor.name = b"same"
    graph.subgraph.tensors[0].name = None
    names = [tensor.name for tensor in Graph(graph.serialize()).subgraph.tensors]
    assert len(set(names)) == len(names)
    assert b"same" in names


def test_constants_behind_the_flatbuffer_survive_a_second_writing(wide: bytes) -> None:
    graph = Graph(wide)
    tensor = np.random.default_rng(0).random((1, 96, 96, 3)).astype(np.float32)
    again = graph.serialize()
    np.testing.assert_array_equal(Reference(again)(tensor), Reference(wide)(tensor))


@pytest.fixture(scope="module")
def wide() -> bytes:
    """A file of which the quantiser writes the large constants behind the flatbuffer: it does from 256 kB on."""
    inputs = Input((96, 96, 3))
    x = layers.Conv2D(512, 3, strides=8, activation="relu")(inputs)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(512, 3)(x))
    graph = Graph(from_keras(Model(inputs, layers.Dense(7)(x)), "wide", {}).tflite)
    rewrite.add_signature(graph)
    return quantize(graph, "dynamic")


def of_open_size(middle: Any) -> bytes:
    """Any picture through `middle`, a function of a tensor (1, H, W, 3), as a .tflite file."""
    function = tf.function(middle, input_signature=[tf.TensorSpec([1, None, None, 3], tf.float32)])
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()]).convert())


KERNEL = tf.constant(np.random.default_rng(2).normal(size=(3, 3, 3, 8)), tf.float32)


def pooled(x: Any) -> Any:
    return tf.reduce_mean(tf.nn.conv2d(x, KERNEL, 2, "SAME"), [1, 2])


def reshaped_by_its_own_shape(x: Any) -> Any:
    x = tf.nn.conv2d(x, KERNEL, 2, "SAME")
    return tf.reduce_mean(tf.reshape(x, [tf.shape(x)[0], -1, 8]), 1)


def flattened_for_eight(x: Any) -> Any:
    return tf.reshape(tf.nn.conv2d(x, KERNEL, 2, "SAME"), [1, 4 * 4 * 8])


def flattened_with_open_batch(x: Any) -> Any:
    return tf.reshape(tf.nn.conv2d(x, KERNEL, 2, "SAME"), [-1, 4 * 4 * 8])


class TestWithInputSize:
    @pytest.mark.parametrize("middle", [pooled, reshaped_by_its_own_shape])
    @pytest.mark.parametrize("mode", MODES)
    def test_the_plain_interpreter_takes_that_size(self, middle: Any, mode: Mode) -> None:
        graph = Graph(of_open_size(middle)).with_input_size(24, 16)
        rewrite.add_signature(graph)
        tensor = np.random.default_rng(0).normal(size=(1, 24, 16, 3)).astype(np.float32)
        reference = Reference(quantize(graph, mode, [tensor]))
        assert reference.input_shape == (24, 16, 3)
        wanted = np.asarray(middle(tf.constant(tensor))).reshape(-1)
        np.testing.assert_allclose(reference(tensor), wanted, atol=0.05 * np.ptp(wanted))

    def test_every_shape_follows(self) -> None:
        graph = Graph(of_open_size(pooled)).with_input_size(24, 16)
        conv = next(op for op in graph.operators if graph.kind(op) == Op.CONV_2D)
        assert graph.tensor(conv.outputs[0]).shape.tolist() == [1, 12, 8, 8]
        assert all(tensor.shapeSignature is None for tensor in graph.subgraph.tensors)

    def test_the_graph_that_was_asked_stays_as_it_is(self) -> None:
        graph = Graph(of_open_size(pooled))
        before = graph.serialize()
        graph.with_input_size(24, 16)
        assert graph.serialize() == before

    @pytest.mark.parametrize("middle", [flattened_for_eight, flattened_with_open_batch])
    def test_a_reshape_to_a_constant_shape_fits_one_size(self, middle: Any) -> None:
        graph = Graph(of_open_size(middle))
        tensor = np.ones((1, 8, 8, 3), np.float32)
        assert Reference(graph.with_input_size(8, 8).serialize())(tensor).shape == (128,)
        with pytest.raises(ConvertError, match="the network cannot take pictures of 8x16"):
            graph.with_input_size(16, 8)

    def test_the_sample_of_open_size(self, test_data: Path) -> None:
        data = (test_data / "sources/tflite_dynamic_height_width.tflite").read_bytes()
        reference = Reference(Graph(data).with_input_size(20, 28).serialize())
        assert (reference.input_shape, reference.outputs) == ((20, 28, 3), 3)
