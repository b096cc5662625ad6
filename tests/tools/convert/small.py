"""Small networks of odd forms, with weights like trained ones; each also answers by itself, for comparison."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

SIDE_PX, CLASSES = 16, 4
_rng = np.random.default_rng(8)
KERNEL = tf.constant(_rng.normal(0, 0.6, (3, 3, 3, 6)), tf.float32)
GREY_KERNEL = tf.constant(_rng.normal(0, 0.8, (3, 3, 1, 6)), tf.float32)
DENSE = tf.constant(_rng.normal(0, 2.5, (6, CLASSES)), tf.float32)


def logits(picture: Any) -> Any:
    """(N, H, W, 1 or 3) to (N, 4)."""
    kernel = KERNEL if picture.shape[-1] == 3 else GREY_KERNEL
    features = tf.nn.relu(tf.nn.conv2d(picture, kernel, 2, "SAME"))
    return tf.reduce_mean(features, [1, 2]) @ DENSE


def scores(picture: Any) -> Any:
    return tf.nn.softmax(logits(picture))


def tflite(call: Callable[..., Any], *specs: tf.TensorSpec, change: Callable[[Any], None] | None = None) -> bytes:
    """The .tflite file of a function; `change` sets options of the converter."""
    module = tf.Module()
    module.call = tf.function(call, input_signature=specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.call.get_concrete_function()], module)
    if change:
        change(converter)
    return bytes(converter.convert())


def picture(*shape: int) -> tf.TensorSpec:
    return tf.TensorSpec(shape, tf.float32, name="image")


def saved_model(folder: Path, call: Callable[..., Any], *specs: tf.TensorSpec, **more: Callable[..., Any]) -> Path:
    """A SavedModel whose signature serving_default is `call`; `more` are further signatures."""
    module = tf.Module()
    module.kernel, module.dense = tf.Variable(KERNEL), tf.Variable(DENSE)
    signatures = {
        name: tf.function(one, input_signature=specs).get_concrete_function()
        for name, one in {"serving_default": call, **more}.items()
    }
    tf.saved_model.save(module, str(folder), signatures)
    return folder


def pixels(count: int = 6, channels: int = 3, height: int = SIDE_PX, width: int = SIDE_PX) -> NDArray[np.uint8]:
    """Noise of several brightnesses: uint8 (count, height, width, channels)."""
    rng = np.random.default_rng(4)
    noise = rng.integers(0, 256, (count, height, width, channels))
    levels = np.linspace(0.2, 1, count)[:, None, None, None]
    return np.asarray(noise * levels, np.uint8)
