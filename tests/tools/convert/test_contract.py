"""What a model expects of pixels and what its output means, found from the model itself and served so.

The networks are tiny and have random weights. Each is compared with itself, run by Keras on the pixels as its training
would have given them.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from convert.contract.findings import PREPROCESS
from convert.contract.probes import probes
from convert.errors import ConvertError
from convert.opening.keras_files import from_keras
from convert.options import Options
from convert.pipeline import convert
from convert.verify import served

SIDE = 16
Build = Callable[[Any], Any]


def network(first: Build, last: Build = lambda x: layers.Dense(3, activation="softmax")(x), **of_input: Any) -> Any:
    """A network whose pixels go through `first`, and whose features go through `last`."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((SIDE, SIDE, 3), **of_input)
    x = layers.Conv2D(8, 3, kernel_initializer="he_normal", bias_initializer="random_normal")(first(inputs))
    return keras.Model(inputs, last(layers.Flatten()(layers.AveragePooling2D(4)(layers.ReLU()(x)))))


def bundle_of(model: Any, folder: Path, **options: Any) -> Any:
    """The classifier of a model's bundle in float32."""
    source = from_keras(model, "m", {}, Options("m", **options))
    convert(source, Options("m", quantize="float32", out=folder, **options))
    return served(folder / "m")


def assert_served_as(classifier: Any, wanted: Callable[[np.ndarray], np.ndarray]) -> None:
    """The classifier's scores are what `wanted` computes from the pixels, float32 (1, H, W, 3) in 0..255."""
    for pixels in probes(classifier.card.input, []):
        expected = np.asarray(wanted(pixels[np.newaxis].astype(np.float32))).reshape(-1)
        np.testing.assert_allclose(classifier.scores(pixels), expected, atol=0.01)


def preprocessed(mode: str) -> Build:
    modules = {"tf": keras.applications.mobilenet_v2, "torch": keras.applications.densenet}
    return modules.get(mode, keras.applications.resnet).preprocess_input


def sequential(*some: Any) -> Build:
    return lambda x: keras.Sequential([layers.Input((SIDE, SIDE, 3)), *some])(x)


def batch_norm(mean: float, deviation: float) -> Build:
    def build(x: Any) -> Any:
        layer = layers.BatchNormalization()
        y = layer(x)
        layer.set_weights([np.ones(3), np.zeros(3), np.full(3, mean), np.full(3, deviation**2)])
        return y

    return build


def normalised(low: float, high: float) -> Build:
    def build(x: Any) -> Any:
        layer = layers.Normalization()
        layer.adapt(np.random.default_rng(0).uniform(low, high, (8, SIDE, SIDE, 3)).astype(np.float32))
        return layer(x)

    return build


AUGMENTED = [layers.RandomFlip(), layers.RandomRotation(0.1), layers.Rescaling(1 / 255)]
OWN: dict[str, tuple[Build, str | None]] = {
    "preprocess_input tf": (preprocessed("tf"), "none"),
    "preprocess_input torch": (preprocessed("torch"), "none"),
    "preprocess_input caffe": (preprocessed("caffe"), "none"),
    "Rescaling": (layers.Rescaling(1 / 255), "none"),
    "Rescaling to -1..1": (layers.Rescaling(1 / 127.5, offset=-1), "none"),
    "nested Rescaling": (sequential(keras.Sequential([layers.Rescaling(1 / 255)])), "none"),
    "augmentation before Rescaling": (sequential(*AUGMENTED), "none"),
    "division": (lambda x: x / 255.0, "none"),
    "Normalization of 0..255": (normalised(0, 255), "none"),
    "Normalization of 0..1": (normalised(0, 1), "unit"),
    "0..1 to -1..1": (lambda x: x * 2 - 1, "unit"),
    "0..1 to -0.5..0.5": (lambda x: x - 0.5, "unit"),
    "-1..1 to 0..1": (lambda x: x * 0.5 + 0.5, "tf"),
    "batch norm of 0..255": (batch_norm(118, 64), "none"),
    "batch norm of 0..1": (batch_norm(0.46, 0.25), "unit"),
    "padding after Rescaling": (sequential(layers.Rescaling(1 / 255), layers.ZeroPadding2D(2)), "none"),
    "channels swapped": (lambda x: ops.flip(x, -1) / 127.5 - 1, "none"),
    "clipped": (lambda x: ops.clip(x / 255.0, 0, 1), "none"),
    "nothing": (lambda x: x, None),
    "padding alone": (layers.ZeroPadding2D(2), None),
}


@pytest.mark.parametrize(("first", "name"), OWN.values(), ids=OWN)
def test_what_a_model_does_to_pixels_decides_what_it_is_given(first: Build, name: str | None) -> None:
    model = network(first)
    pixels = from_keras(model, "m", {}).pixels
    assert (pixels and pixels.value, pixels and pixels.kind) == (name and PREPROCESS[name], name and "graph")


@pytest.mark.parametrize("name", ["preprocess_input caffe", "0..1 to -1..1", "-1..1 to 0..1"])
def test_it_is_served_with_these_pixels(name: str, tmp_path: Path) -> None:
    model, given = network(OWN[name][0]), PREPROCESS[OWN[name][1]]
    classifier = bundle_of(model, tmp_path)
    assert_served_as(classifier, lambda x: model((x - given.mean[0]) / given.std[0], training=False))
    assert classifier.card.contract["pixels"]["from"] == "graph"


def test_a_model_that_standardises_each_picture_takes_any_scale() -> None:
    class Standardise(layers.Layer):
        def call(self, x: Any) -> Any:
            return tf.image.per_image_standardization(x)

    pixels = from_keras(network(Standardise()), "m", {}).pixels
    assert pixels is not None
    assert (pixels.value, pixels.reason) == (PREPROCESS["none"], "the model itself standardises each picture")


def test_an_integer_input_takes_bytes(tmp_path: Path) -> None:
    model = network(lambda x: layers.Rescaling(1 / 255)(ops.cast(x, "float32")), dtype="uint8")
    classifier = bundle_of(model, tmp_path)
    assert classifier.card.contract["pixels"] == {
        "value": "RGB, value (none)",
        "from": "tensor",
        "reason": "the model's input is uint8",
    }
    assert_served_as(classifier, lambda x: model(x.astype(np.uint8), training=False))


@pytest.mark.parametrize(
    ("options", "scaled"),
    [
        ({"preprocess": "unit"}, lambda x: x / 255),
        ({"mean": (10.0, 20.0, 30.0), "std": (50.0,)}, lambda x: (x - np.array([10, 20, 30])) / 50),
        ({"std": (255.0,)}, lambda x: x / 255),
        ({"preprocess": "caffe"}, lambda x: x[..., ::-1] - np.array([103.939, 116.779, 123.68])),
    ],
    ids=["unit", "mean and std", "std alone", "caffe"],
)
def test_the_users_choice_is_served(options: dict[str, Any], scaled: Build, tmp_path: Path) -> None:
    model = network(lambda x: x)
    classifier = bundle_of(model, tmp_path, **options)
    assert_served_as(classifier, lambda x: model(scaled(x).astype(np.float32), training=False))
    assert classifier.card.contract["pixels"]["from"] == "option"


def test_a_choice_against_the_models_own_scaling_is_taken_and_noted(tmp_path: Path) -> None:
    source = from_keras(network(layers.Rescaling(1 / 255)), "m", {})
    converted = convert(source, Options("m", preprocess="tf", quantize="float32", out=tmp_path))
    assert any("but the model itself turns 0..255 into 0..1" in note for note in converted.notes)


def softmax_of_places(x: Any) -> Any:
    """A softmax at each of nine places, then their mean: a fully convolutional network."""
    places = layers.Conv2D(3, 1, activation="softmax")(layers.Reshape((3, 3, 8))(x))
    return layers.GlobalAveragePooling2D()(places)


def ensemble(x: Any) -> Any:
    return layers.Average()([layers.Dense(3, activation="softmax")(x) for _ in range(3)])


MEANINGS: dict[str, tuple[Build, str, Build]] = {
    "softmax": (layers.Dense(3, activation="softmax"), "probabilities", lambda y: y),
    "logits": (layers.Dense(3), "logits", tf.nn.softmax),
    "log-softmax": (layers.Dense(3, activation="log_softmax"), "logits", tf.exp),
    "sigmoids": (layers.Dense(3, activation="sigmoid"), "probabilities", lambda y: y),
    "average of softmaxes": (ensemble, "probabilities", lambda y: y),
    "softmax, then pooling": (softmax_of_places, "probabilities", lambda y: y),
    "hard sigmoids": (layers.Dense(3, activation="hard_sigmoid"), "probabilities", lambda y: y),
    "softmax of half the logits": (lambda x: ops.softmax(layers.Dense(3)(x) / 2), "probabilities", lambda y: y),
    "one sigmoid": (layers.Dense(1, activation="sigmoid"), "probabilities", lambda y: [1 - y[0, 0], y[0, 0]]),
    "one logit": (layers.Dense(1), "sigmoid", lambda y: [1 - tf.sigmoid(y)[0, 0], tf.sigmoid(y)[0, 0]]),
    "one hard sigmoid": (
        layers.Dense(1, activation="hard_sigmoid"),
        "probabilities",
        lambda y: [1 - y[0, 0], y[0, 0]],
    ),
    "half of a tanh": (
        lambda x: 0.5 * (ops.tanh(layers.Dense(1)(x)) + 1),
        "probabilities",
        lambda y: [1 - y[0, 0], y[0, 0]],
    ),
    "average of two sigmoids": (
        lambda x: layers.Average()([layers.Dense(1, activation="sigmoid")(x) for _ in range(2)]),
        "probabilities",
        lambda y: [1 - y[0, 0], y[0, 0]],
    ),
}


@pytest.mark.parametrize(("last", "meaning", "wanted"), MEANINGS.values(), ids=MEANINGS)
def test_what_the_output_means_is_seen(last: Build, meaning: str, wanted: Build, tmp_path: Path) -> None:
    model = network(layers.Rescaling(1 / 255), last)
    classifier = bundle_of(model, tmp_path)
    assert classifier.card.contract["scores"]["value"] == meaning
    assert_served_as(classifier, lambda x: wanted(model(x, training=False)))


def test_the_users_meaning_of_the_output_is_served(tmp_path: Path) -> None:
    model = network(layers.Rescaling(1 / 255), layers.Dense(3))
    classifier = bundle_of(model, tmp_path, scores="sigmoid")
    assert_served_as(classifier, lambda x: tf.sigmoid(model(x, training=False)))


@pytest.mark.filterwarnings("ignore:You are using a softmax")
def test_a_softmax_of_one_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="always 1"):
        bundle_of(network(layers.Rescaling(1 / 255), layers.Dense(1, activation="softmax")), tmp_path)


def test_scores_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = network(layers.Rescaling(1 / 255), layers.Dense(3))
    model.layers[-1].set_weights([np.full_like(weight, np.nan) for weight in model.layers[-1].get_weights()])
    with pytest.raises(ConvertError, match="not numbers"):
        bundle_of(model, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_form_that_differs_is_refused_by_the_models_name(tmp_path: Path) -> None:
    source = from_keras(network(layers.Rescaling(1 / 255)), "flowers", {})
    calls = iter(range(1000))
    wrong = replace(source, scores=lambda _: np.eye(3, dtype=np.float32)[next(calls) % 3])
    with pytest.raises(ConvertError, match="the float32 form of flowers differs from its source by"):
        convert(wrong, Options("flowers", quantize="float32", out=tmp_path))
    assert not list(tmp_path.iterdir())
