"""What is changed before tf2onnx reads a network computes what it did."""

import numpy as np
from keras import Input, Model, layers

from benchmarks.peers.others import with_flat_inputs
from convert.graph import Graph, Op
from convert.opening.keras_files import from_keras
from convert.opening.tflite import Reference


def pooled_into_a_dense_layer() -> Graph:
    """A network whose dense layer reads (1, 1, 1, 8): TensorFlow's converter drops the reshape before it."""
    inputs = Input((8, 8, 3))
    pooled = layers.AveragePooling2D(8)(layers.Conv2D(8, 1, activation="relu")(inputs))
    dense = layers.Dense(4, bias_initializer="random_normal")(layers.Flatten()(pooled))
    return Graph(from_keras(Model(inputs, dense), "pooled", {}).tflite)


def test_a_dense_layer_gets_a_flat_input_and_answers_as_before() -> None:
    graph = pooled_into_a_dense_layer()
    kinds = [graph.kind(op) for op in graph.operators]
    assert Op.RESHAPE not in kinds
    flat = with_flat_inputs(graph.serialize())
    changed = Graph(flat)
    assert [changed.kind(op) for op in changed.operators] == [*kinds[:-1], Op.RESHAPE, kinds[-1]]
    picture = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(Reference(flat)(picture), Reference(graph.serialize())(picture))
    assert with_flat_inputs(flat) == flat
