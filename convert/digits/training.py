"""Train the embedded default: a narrow Inception on scikit-learn's handwritten digits.

Data: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI machine learning
repository, 1998, as `sklearn.datasets.load_digits` bundles it: 1,797 scans of 8x8 pixels.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from convert.digits import network, strokes

HELD_OUT = 0.2
SEED = 7
EPOCHS = 18
ROUNDS = 3
"""How often each scan is seen in an epoch, placed anew each time; as many drawn digits come along."""
BATCH = 64


def load_split() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Scans (N, 8, 8), 0..16, and digits (N,): training scans, held-out scans, and the digits of each."""
    scans = load_digits()
    split = train_test_split(scans.images, scans.target, test_size=HELD_OUT, random_state=SEED, stratify=scans.target)
    train, held_out, train_digits, held_out_digits = split
    return train, held_out, train_digits, held_out_digits


def as_picture(scan: NDArray[Any]) -> NDArray[np.uint8]:
    """A scan as it is shown: dark on white, uint8 (8, 8)."""
    return (255 - scan * (255 / 16)).astype(np.uint8)


def build_network() -> Any:
    """Keras model, (N, 48, 48, 1) in -1..1 to logits (N, 10)."""
    x = inputs = keras.Input((strokes.SIZE_PX, strokes.SIZE_PX, 1))
    x = network.conv(x, 16, (3, 3), strides=2)
    x = network.conv(x, 32, (3, 3))
    x = network.block_a(x, 16)
    x = network.reduction(x, 32)
    x = network.block_b(x, 28, n=5)
    x = network.reduction(x, 40)
    x = network.block_c(x, 32)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(inputs, layers.Dense(10)(x), name="digits")


def pictures(
    scans: NDArray[Any], digits: NDArray[Any], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """One round of training pictures, uint8 (2N, 48, 48, 1), half scanned and half drawn, and their digits."""
    inks = [strokes.scanned(scan, rng) for scan in scans] + [strokes.drawn(int(digit), rng) for digit in digits]
    return np.stack([strokes.on_paper(ink, rng) for ink in inks])[..., None], np.concatenate([digits, digits])


def _batches(scans: NDArray[Any], digits: NDArray[Any], rng: np.random.Generator) -> Iterator[tuple[Any, Any]]:
    for _ in range(ROUNDS):
        x, y = pictures(scans, digits, rng)
        order = rng.permutation(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            yield x[chosen].astype(np.float32) / 127.5 - 1, y[chosen]


def train(on_epoch: Callable[[int, float], None], epochs: int = EPOCHS) -> Any:
    """The trained network; `on_epoch` hears the epoch and its loss. The same seed gives the same training."""
    keras.utils.set_random_seed(SEED)
    scans, _, digits, _ = load_split()
    network, rng = build_network(), np.random.default_rng(SEED)
    steps = epochs * ROUNDS * (2 * len(scans) // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(1e-4, steps, warmup_target=2e-3, warmup_steps=steps // 20)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(schedule), loss)
    for epoch in range(epochs):
        losses = [network.train_on_batch(x, y) for x, y in _batches(scans, digits, rng)]
        on_epoch(epoch, float(np.mean(losses[-1])))
    return network
