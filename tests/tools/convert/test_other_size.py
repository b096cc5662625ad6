"""A network of fixed size at another size answers as Keras does when it builds the network for that size.

SLIMCEPTION_LONG=1 adds whole networks of keras.applications.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import Input, Model, layers
from numpy.typing import NDArray

from convert import rewrite
from convert.errors import ConvertError
from convert.graph import Graph, Op
from convert.opening.keras_files import from_keras
from convert.opening.networks import NETWORKS
from convert.opening.resized import at_size
from convert.opening.tflite import Reference
from convert.other_size import of_size
from convert.pictures import read_pixels
from convert.quantize import quantize
from convert.sources import Source
from tests.tools.convert.conftest import Run
from tests.tools.convert.small import picture as spec
from tests.tools.convert.small import saved_model, scores, tflite
from tests.tools.convert.test_applications import with_lively_answers
from tests.tools.convert.test_command_line import listing, served

Cli = Callable[..., Run]
LONG = pytest.mark.skipif("SLIMCEPTION_LONG" not in os.environ, reason="takes minutes: set SLIMCEPTION_LONG=1")
OWN, CLASSES = 32, 4


def noise(height: int, width: int, count: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(count, height, width, 3)).astype(np.float32)


def strided(x: Any) -> Any:
    """A convolution of stride 2 after an explicit pad, as ResNet and MobileNet begin."""
    return layers.Conv2D(8, 3, strides=2, activation="relu")(layers.ZeroPadding2D(((0, 1), (0, 1)))(x))


def average(x: Any) -> Any:
    return layers.GlobalAveragePooling2D()(strided(x))


def mean_kept(x: Any) -> Any:
    """Squeeze and excitation: the whole map weighs its channels."""
    x = strided(x)
    weights = layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return layers.GlobalMaxPooling2D()(layers.multiply([x, weights]))


def pool_of(pool: Any) -> Callable[[Any], Any]:
    """A pool whose filter is as large as the map, as Keras 2 wrote it, and a reshape after it."""

    def head(x: Any) -> Any:
        x = strided(x)
        side = x.shape[1:3]
        return layers.Reshape((8,))(pool(side)(x))

    return head


def cropped(x: Any) -> Any:
    """A slice to the map's end, as NASNet has it, which would else end where the old map ended."""
    return layers.GlobalAveragePooling2D()(layers.Cropping2D(((3, 0), (2, 0)))(strided(x)))


def halved(x: Any) -> Any:
    """Pools that halve the map, the last of which happens to see all of it at the network's own size."""
    for _ in range(4):
        x = layers.MaxPooling2D(2)(layers.Conv2D(8, 3, padding="same")(x))
    x = layers.MaxPooling2D(2)(x)
    return layers.GlobalAveragePooling2D()(layers.AveragePooling2D(3, 1, "same")(x))


def block(x: Any) -> Any:
    """Pools that do not see the whole map stay as they are; concatenations follow."""
    x = strided(x)
    parts = [layers.AveragePooling2D(3, 1, "same")(x), layers.Conv2D(8, (1, 5), padding="same")(x)]
    x = layers.MaxPooling2D(3, 2)(layers.concatenate(parts))
    return layers.GlobalAveragePooling2D()(x)


HEADS = {
    "mean": average,
    "squeeze and excitation": mean_kept,
    "average pool": pool_of(layers.AveragePooling2D),
    "max pool": pool_of(layers.MaxPooling2D),
    "slice": cropped,
    "block": block,
    "halved": halved,
}


def network(head: Callable[[Any], Any], height: int = OWN, width: int = OWN) -> Any:
    keras.utils.set_random_seed(4)
    inputs = Input((height, width, 3))
    return Model(inputs, layers.Dense(CLASSES)(head(inputs)))


def built(model: Any, head: Callable[[Any], Any], height: int, width: int) -> Any:
    """The same weights in the network that Keras builds for another size."""
    other = network(head, height, width)
    other.set_weights(model.get_weights())
    return other


def resized(graph: Graph, size: tuple[int, int]) -> Graph:
    found = of_size(graph, size)
    assert found is not None
    return found


def from_tflite(source: Source) -> Source:
    """The source as if only its .tflite file were there."""
    return replace(source, sizes=None)


@pytest.mark.parametrize(
    ("width", "height", "form"),
    [(35, 35, "function"), (48, 72, "function"), (64, 64, "function"), (48, 72, "tflite"), (64, 64, "tflite")],
)
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_the_answers_are_those_of_the_network_that_keras_builds(
    head: Callable[[Any], Any], width: int, height: int, form: str
) -> None:
    model, kept = network(head), from_tflite if form == "tflite" else lambda source: source
    source = at_size(kept(from_keras(model, "small", {})), (width, height))
    tensors = noise(height, width)
    wanted = built(model, head, height, width).predict(tensors, verbose=0)
    np.testing.assert_allclose(np.stack([source.scores(one[None]) for one in tensors]), wanted, atol=1e-5)
    assert np.ptp(wanted, axis=0).max() > 1e-3, "the pictures have to differ, or this test shows nothing"
    assert source.input_shape == (height, width, 3)
    assert source.own is not None
    assert source.own.input_shape == (OWN, OWN, 3)


def test_a_tflite_file_whose_pad_became_the_padding_same_pads_as_same_does() -> None:
    """At 32 px both are the same, and the converter keeps SAME; at 21 px SAME pads on both sides."""
    source = from_tflite(from_keras(network(average), "small", {}))
    kernel, bias, dense, offset = network(average).get_weights()
    tensor = noise(21, 21, 1)
    features = tf.nn.relu(tf.nn.conv2d(tensor, kernel, 2, "SAME") + bias)
    wanted = tf.reduce_mean(features, [1, 2]) @ dense + offset
    np.testing.assert_allclose(at_size(source, (21, 21)).scores(tensor), wanted.numpy()[0], atol=1e-5)


@pytest.mark.parametrize("head", [average, pool_of(layers.AveragePooling2D)], ids=["mean", "pool"])
def test_an_8_bit_graph_is_near_the_float_one_at_that_size(head: Callable[[Any], Any]) -> None:
    wider = network(lambda x: head(layers.Conv2D(16, 3, padding="same")(x)))  # or 8 bits would take more bytes
    graph = Graph(from_keras(wider, "small", {}).tflite)
    rewrite.add_signature(graph)
    livelier = [1.6 * one[None] for one in noise(OWN, OWN, 8)]  # means over fewer places spread further
    quantized = Graph(quantize(graph, "int8", livelier))
    small, wanted = (Reference(resized(one, (24, 20)).serialize()) for one in (quantized, graph))
    tensors = noise(20, 24)
    expected = np.stack([wanted(one[None]) for one in tensors])
    np.testing.assert_allclose(
        np.stack([small(one[None]) for one in tensors]), expected, atol=0.1 * np.abs(expected).max()
    )


def test_a_pool_over_the_whole_map_has_no_stride_beyond_its_filter() -> None:
    """XNNPACK takes no such pool: it would run outside of the delegate."""
    graph = Graph(from_keras(network(pool_of(layers.AveragePooling2D)), "small", {}).tflite)
    small = resized(graph, (16, 20))
    (pool,) = (op.builtinOptions for op in small.operators if small.kind(op) == Op.AVERAGE_POOL_2D)
    assert (pool.filterHeight, pool.filterWidth, pool.strideH, pool.strideW) == (10, 8, 10, 8)


def flat(x: Any) -> Any:
    return layers.Flatten()(strided(x))


def positions(x: Any) -> Any:
    """A learnt constant for each place, as a vision transformer has it."""
    x = strided(x)
    return layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Normalization(axis=(1, 2), mean=0.1, variance=2.0)(x)))


@pytest.mark.parametrize("kept", [from_tflite, lambda source: source], ids=["tflite", "function"])
@pytest.mark.parametrize("size", [(24, 24), (64, 64)])
@pytest.mark.parametrize("head", [flat, positions])
def test_what_fits_one_size_is_refused(
    head: Callable[[Any], Any], size: tuple[int, int], kept: Callable[[Source], Source]
) -> None:
    source = kept(from_keras(network(head), "small", {}))
    with pytest.raises(ConvertError, match=rf"small cannot take pictures of {size[0]}x{size[1]} px") as refusal:
        at_size(source, size)
    nearest = int(str(refusal.value).rpartition("x")[2])
    assert abs(nearest - OWN) <= 1  # the stride of 2 rounds


def deep(x: Any) -> Any:
    """Four convolutions that need a map of 3x3."""
    for _ in range(3):
        x = layers.MaxPooling2D(2)(layers.Conv2D(8, 3)(x))
    return layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(x)) if x.shape[1] != 2 else layers.Flatten()(x)


@pytest.mark.parametrize("kept", [from_tflite, lambda source: source], ids=["tflite", "function"])
def test_what_is_too_small_is_refused_with_the_least_size_that_works(kept: Callable[[Source], Source]) -> None:
    source = kept(from_keras(network(deep, 64, 64), "small", {}))
    with pytest.raises(ConvertError, match=r"does not fit them.*the nearest size that works is 38x38"):
        at_size(source, (20, 20))
    assert at_size(source, (38, 38)).input_shape == (38, 38, 3)
    with pytest.raises(ConvertError, match="the nearest size that works is 38x38"):
        at_size(source, (37, 37))


class TestCommandLine:
    @pytest.mark.parametrize("form", ["keras", "h5", "saved_model", "tflite"])
    def test_every_float_source(self, form: str, run: Cli, tmp_path: Path, pictures: Path) -> None:
        source = tmp_path / f"m.{form}"
        if form == "saved_model":
            saved_model(source, scores, spec(1, 16, 16, 3))
        elif form == "tflite":
            source.write_bytes(tflite(scores, spec(1, 16, 16, 3)))
        else:
            x = inputs = Input((16, 16, 3))
            keras.utils.set_random_seed(1)
            x = layers.Dense(CLASSES, "softmax")(average(x))
            Model(inputs, x).save(source)
        given = ("--preprocess", "tf", "--quantize", "float32", "--input-size", "24", "--validation", pictures)
        result = run(source, *given, "--out", tmp_path, "--name", "m")
        assert result.code == 0, result.err
        assert "the network is for 16x16 px: at 24x24 it answers otherwise" in result.err
        assert "same best class as at 16x16" in result.out
        classifier = served(tmp_path / "m")
        assert (classifier.card.input.width, classifier.card.input.height) == (24, 24)
        assert classifier.card.source["made_for"] == "16x16"
        measured = classifier.card.verification
        assert (measured["top1_agreement"], measured["float_difference"]) == (1.0, pytest.approx(0, abs=1e-5))
        assert measured["own_size"]["input"] == "16x16"
        assert 0 < measured["own_size"]["max_score_difference"] < 1
        if form in ("saved_model", "tflite"):  # the small network takes any size by itself
            shown = read_pixels(sorted(pictures.iterdir())[0], classifier.card.input)
            wanted = scores((shown[None].astype(np.float32) - 127.5) / 127.5).numpy()[0]
            np.testing.assert_allclose(classifier.scores(shown), wanted, atol=1e-4)

    def test_its_own_size_changes_nothing(self, run: Cli, keras_file: Path, tmp_path: Path) -> None:
        for name, more in (("a", ()), ("b", ("--input-size", 64))):
            assert run(keras_file, "--quantize", "float32", "--out", tmp_path, "--name", name, *more).code == 0
        models = [(tmp_path / name / "model.tflite").read_bytes() for name in "ab"]
        assert models[0] == models[1]

    def test_a_refusal_is_one_line_and_writes_nothing(self, run: Cli, tmp_path: Path) -> None:
        network(flat).save(tmp_path / "flat.keras")
        result = run(tmp_path / "flat.keras", "--input-size", 24, "--out", tmp_path / "models")
        assert (result.code, listing(tmp_path / "models")) == (2, [])
        assert "flat cannot take pictures of 24x24 px: a layer does not fit them" in result.err


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "mobilenet_v2" else LONG)
        for name in ("mobilenet_v2", "inception_v3", "resnet50", "efficientnet_b0", "densenet121", "xception")
    ],
)
def test_networks_of_keras(name: str, imagenet_sample: Path) -> None:
    own, other = (96, 160) if name in ("inception_v3", "xception") else (64, 96)
    builder = getattr(keras.applications, NETWORKS[name].builder)
    keras.utils.set_random_seed(2)
    model, at_other = (builder(weights=None, input_shape=(side, side, 3), classes=CLASSES) for side in (own, other))
    paths = sorted(imagenet_sample.glob("*.JPEG"))[::20]

    def tensors(side: int) -> NDArray[np.float32]:
        loaded = [np.asarray(keras.utils.load_img(path, target_size=(side, side)), np.float32) for path in paths]
        mean, std = NETWORKS[name].pixels.mean[0], NETWORKS[name].pixels.std[0]
        return (np.stack(loaded) - mean) / std

    with_lively_answers(at_other, tensors(other))
    model.set_weights(at_other.get_weights())
    source = at_size(from_keras(model, name, {}), (other, other))
    wanted = at_other.predict(tensors(other), verbose=0)
    found = np.stack([source.scores(one[None]) for one in tensors(other)])
    np.testing.assert_allclose(found, wanted, atol=0.001)
    assert np.ptp(wanted, axis=0).max() > 0.05, "the answers have to differ, or this test shows nothing"
