"""How files are quantised that TensorFlow's converter or Google's quantiser wrote, in every form that they have."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_quantizer import quantizer, recipe
from keras import Input, Model, layers

from convert import rewrite
from convert.graph import Graph
from convert.modes import Found
from convert.opening.keras_files import from_keras
from convert.quantize import detect, quantize
from convert.weights import layers as layers_of


@pytest.fixture(scope="module")
def network() -> Any:
    """A layer of each kind, with more weights than TensorFlow's converter leaves in float (1,024)."""
    x = inputs = Input((16, 16, 3))
    x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.Conv2DTranspose(16, 3)(x)
    return Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


def samples() -> Iterator[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    for _ in range(4):
        yield [rng.random((1, 16, 16, 3)).astype(np.float32)]


def of_tensorflow(network: Any, change: Callable[[Any], None]) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    change(converter)
    return bytes(converter.convert())


def integer(io_type: Any = tf.float32, ops: Any = tf.lite.OpsSet.TFLITE_BUILTINS_INT8) -> Callable[[Any], None]:
    def change(converter: Any) -> None:
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [ops]
        converter.inference_input_type = converter.inference_output_type = io_type

    return change


def half(converter: Any) -> None:
    converter.target_spec.supported_types = [tf.float16]


SIXTEEN = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")  # TensorFlow's own, for a fact that it has
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda converter: None, "dynamic"),
        (half, "float16"),
        (integer(), "int8"),
        (integer(tf.int8), "int8"),
        (integer(tf.uint8), "int8"),
        (integer(ops=SIXTEEN), "int16x8"),
    ],
    ids=["dynamic", "float16", "int8, float ends", "int8", "int8, uint8 ends", "int16x8"],
)
def test_what_tensorflow_wrote(network: Any, change: Callable[[Any], None], found: Found) -> None:
    assert detect(Graph(of_tensorflow(network, change))) == found


@pytest.fixture(scope="module")
def graph(network: Any) -> Graph:
    graph = Graph(from_keras(network, "network", {}).tflite)
    rewrite.add_signature(graph)
    return graph


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (recipe.dynamic_wi8_afp32, "dynamic"),
        (recipe.dynamic_wi4_afp32, "int4"),
        (recipe.weight_only_wi8_afp32, "weight-only"),
        (recipe.static_wi8_ai8, "int8"),
        (recipe.static_wi8_ai16, "int16x8"),
    ],
)
def test_what_googles_quantiser_wrote(graph: Graph, rules: Callable[[], Any], found: Found) -> None:
    job = quantizer.Quantizer(graph.serialize(), rules())
    key, name = graph.signature_names()
    ranges = job.calibrate({key: [{name: s[0]} for s in samples()]}) if job.need_calibration else None
    assert detect(Graph(bytes(job.quantize(ranges, enable_progress_report=False).quantized_model))) == found


def test_some_layers_in_float_do_not_change_the_mode(graph: Graph) -> None:
    names = [layer.name for layer in layers_of(graph)]
    tensors = [s[0] for s in samples()]
    for mode in ("dynamic", "int8", "float16"):
        for kept in names:
            assert detect(Graph(quantize(graph, mode, tensors, frozenset({kept})))) == mode
