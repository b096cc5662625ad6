"""SavedModels of every form: one that serves what TensorFlow itself answers, or one clear line."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tools.convert.conftest import Run
from tests.tools.convert.small import CLASSES, DENSE, KERNEL, SIDE_PX, logits, picture, pixels, saved_model, scores
from tests.tools.convert.test_command_line import listing, served

Cli = Callable[..., Run]
Make = Callable[[Path], Path]
S = SIDE_PX
OPEN = picture(None, S, S, 3)
UNIT = ("--preprocess", "unit")
KERNEL_VALUES, DENSE_VALUES = KERNEL.numpy(), DENSE.numpy()


def first_version(folder: Path, signature: str = "serving_default") -> Path:
    """As TensorFlow 1 writes it, from a session."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        image = tf.compat.v1.placeholder(tf.float32, (None, S, S, 3))
        kernel = tf.compat.v1.get_variable("kernel", initializer=KERNEL_VALUES)
        features = tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "SAME"))
        output = tf.nn.softmax(tf.reduce_mean(features, [1, 2]) @ tf.constant(DENSE_VALUES))
        session.run(tf.compat.v1.global_variables_initializer())
        builder = tf.compat.v1.saved_model.builder.SavedModelBuilder(str(folder))
        about = tf.compat.v1.saved_model.predict_signature_def({"image": image}, {"scores": output})
        builder.add_meta_graph_and_variables(session, ["serve"], {signature: about})
        builder.save()
    return folder


class Hub(tf.Module):
    @tf.function(input_signature=[OPEN])
    def __call__(self, image: Any) -> Any:
        return scores(image)


def without_signature(folder: Path) -> Path:
    """As many modules of TensorFlow Hub are: an object that can be called."""
    tf.saved_model.save(Hub(), str(folder))
    return folder


def faked(x: Any) -> Any:
    """As after quantisation-aware training."""
    x = tf.quantization.fake_quant_with_min_max_args(x, 0, 1)
    kernel = tf.quantization.fake_quant_with_min_max_vars(KERNEL, -1.5, 1.5, narrow_range=True)
    features = tf.quantization.fake_quant_with_min_max_args(tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "SAME")), 0, 3)
    return tf.nn.softmax(tf.reduce_mean(features, [1, 2]) @ DENSE)


def exported_by_keras(folder: Path) -> Path:
    keras.utils.set_random_seed(2)
    inputs = keras.Input((S, S, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3, activation="relu")(inputs))
    keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x)).export(str(folder), verbose=False)
    return folder


def several(x: Any) -> dict[str, Any]:
    return {"features": tf.nn.relu(x), "class": tf.argmax(logits(x), -1), "scores": scores(x)}


FORMS: dict[str, tuple[Make, tuple[object, ...], Callable[[Any], Any]]] = {
    "one signature": (lambda d: saved_model(d, scores, OPEN), UNIT, scores),
    "the serving one of several": (
        lambda d: saved_model(d, scores, OPEN, other=lambda x: scores(1 - x)),
        UNIT,
        scores,
    ),
    "of TensorFlow 1": (first_version, UNIT, scores),
    "of TensorFlow 1 under another name": (lambda d: first_version(d, "predict_images"), UNIT, scores),
    "without a signature": (without_signature, UNIT, scores),
    "several outputs": (lambda d: saved_model(d, several, OPEN), UNIT, scores),
    "channels first": (
        lambda d: saved_model(d, lambda x: scores(tf.transpose(x, [0, 2, 3, 1])), picture(None, 3, S, S)),
        UNIT,
        scores,
    ),
    "open size": (
        lambda d: saved_model(d, scores, picture(None, None, None, 3)),
        (*UNIT, "--input-size", S),
        scores,
    ),
    "open size, channels first": (
        lambda d: saved_model(d, lambda x: scores(tf.transpose(x, [0, 2, 3, 1])), picture(None, 3, None, None)),
        (*UNIT, "--input-size", S),
        scores,
    ),
    "one picture": (lambda d: saved_model(d, scores, picture(1, S, S, 3)), UNIT, scores),
    "uint8": (
        lambda d: saved_model(
            d, lambda x: scores(tf.cast(x, tf.float32) / 255), tf.TensorSpec((None, S, S, 3), tf.uint8)
        ),
        (),
        scores,
    ),
    "float16": (
        lambda d: saved_model(d, lambda x: scores(tf.cast(x, tf.float32)), tf.TensorSpec((None, S, S, 3), tf.float16)),
        UNIT,
        scores,
    ),
    "bfloat16": (
        lambda d: saved_model(d, lambda x: scores(tf.cast(x, tf.float32)), tf.TensorSpec((None, S, S, 3), tf.bfloat16)),
        UNIT,
        scores,
    ),
    "trained for 8 bits": (lambda d: saved_model(d, faked, OPEN), UNIT, faked),
}


@pytest.mark.parametrize(("make", "given", "expected"), FORMS.values(), ids=FORMS)
def test_it_serves_what_tensorflow_answers(
    make: Make, given: tuple[object, ...], expected: Callable[[Any], Any], run: Cli, tmp_path: Path
) -> None:
    result = run(make(tmp_path / "m"), "--out", tmp_path / "out", "--quantize", "float32", *given)
    assert result.code == 0, result.err
    shown = pixels()
    wanted = np.asarray(expected(tf.constant(shown.astype(np.float32) / 255)))
    found = np.stack([served(tmp_path / "out" / "m").scores(one) for one in shown])
    np.testing.assert_allclose(found, wanted, atol=0.01)
    assert np.ptp(wanted, axis=0).max() > 0.1


def test_keras_export_serves_what_it_answers(run: Cli, tmp_path: Path) -> None:
    folder = exported_by_keras(tmp_path / "m")
    assert run(folder, "--out", tmp_path / "out", "--quantize", "float32", *UNIT).code == 0
    shown = pixels()
    loaded = tf.saved_model.load(str(folder))
    wanted = loaded.serve(tf.constant(shown.astype(np.float32) / 255)).numpy()
    found = np.stack([served(tmp_path / "out" / "m").scores(one) for one in shown])
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_an_output_is_chosen_by_its_name(run: Cli, tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "m", lambda x: {"a": scores(x), "b": scores(1 - x)}, OPEN)
    result = run(folder, "--out", tmp_path / "out", "--quantize", "float32", *UNIT, "--output", "b")
    assert result.code == 0, result.err
    shown = pixels()
    wanted = scores(1 - shown.astype(np.float32) / 255).numpy()
    np.testing.assert_allclose([served(tmp_path / "out" / "m").scores(one) for one in shown], wanted, atol=1e-3)


def without_variables(folder: Path) -> Path:
    first_version(folder)
    shutil.rmtree(folder / "variables")
    return folder


def damaged(folder: Path) -> Path:
    saved_model(folder, scores, OPEN)
    (folder / "saved_model.pb").write_bytes((folder / "saved_model.pb").read_bytes()[:-500])
    return folder


def by_name(folder: Path) -> Path:
    module = tf.Module()
    ones = {name: tf.function(scores, input_signature=[OPEN]).get_concrete_function() for name in ("first", "second")}
    tf.saved_model.save(module, str(folder), ones)
    return folder


REFUSED: dict[str, tuple[Make, str]] = {
    "several signatures": (by_name, "has the signatures first, second: 'serving_default' is needed"),
    "bytes of pictures": (
        lambda d: saved_model(
            d,
            lambda x: scores(tf.map_fn(lambda one: tf.ones((S, S, 3)), x, fn_output_signature=tf.float32)),
            tf.TensorSpec((None,), tf.string),
        ),
        "takes text, such as a picture's bytes",
    ),
    "two inputs": (
        lambda d: saved_model(d, lambda a, b: scores(a + b), OPEN, tf.TensorSpec((None, S, S, 3), name="other")),
        "takes 2 inputs, image (?, 16, 16, 3), other (?, 16, 16, 3)",
    ),
    "two rows of scores": (
        lambda d: saved_model(d, lambda x: {"a": scores(x), "b": scores(1 - x)}, OPEN),
        "has several rows of scores, a (1, 4) float32, b (1, 4) float32: choose one with --output NAME",
    ),
    "no row of scores": (lambda d: saved_model(d, lambda x: tf.nn.relu(x), OPEN), "masks, sequences"),
    "a sequence": (lambda d: saved_model(d, lambda x: x[:, 0, :4], picture(None, 30, 64)), "a sequence or a signal"),
    "a video": (lambda d: saved_model(d, lambda x: scores(x[:, 0]), picture(None, 5, S, S, 3)), "not a sequence"),
    "open size": (lambda d: saved_model(d, scores, picture(None, None, None, 3)), "leaves its size open"),
    "of any shape": (
        lambda d: saved_model(d, lambda x: scores(tf.reshape(x, [1, S, S, 3])), tf.TensorSpec(None, name="image")),
        "takes a tensor of any shape",
    ),
    "no variables": (without_variables, "lacks its folder variables"),
    "damaged": (damaged, "cannot load the SavedModel"),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_one_line_says_why_it_is_refused(make: Make, message: str, run: Cli, tmp_path: Path) -> None:
    result = run(make(tmp_path / "m"), "--out", tmp_path / "models")
    assert (result.code, listing(tmp_path / "models")) == (2, [])
    (line,) = [line for line in result.err.splitlines() if line.startswith("convert: ")]
    assert message in line
