"""A trained Inception keeps its accuracy in every quantisation, as the served code measures it."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from benchmarks.inception import on_digits
from chalicelib.inference.card import InputSpec, ModelCard
from convert.contract.findings import trained_with
from convert.digits import network, training
from convert.modes import Mode
from convert.opening.keras_files import from_keras
from convert.options import Options
from convert.pictures import find_pictures, tensors
from convert.pipeline import convert
from convert.sources import Source

LEAST, MOST_LOST = 0.95, 0.01
EPOCHS, BATCH = 3, 48
SIDE_PX = 24
SPEC = InputSpec(SIDE_PX, SIDE_PX, "L", 1.0, (127.5,), (127.5,))


class Trained(NamedTuple):
    """A network that was trained here, and how to convert it."""

    source: Source
    options: Options


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A narrow Inception, trained for some seconds on scans as the served code sees them."""
    folder = tmp_path_factory.mktemp("scans")
    scans, held_out, digits, answers = training.load_split()
    save(scans, digits, folder / "training")
    save(held_out, answers, folder / "validation")
    keras.utils.set_random_seed(training.SEED)
    paths = find_pictures(folder / "training", "calibration")
    inputs = np.concatenate(list(tensors(paths, SPEC)))
    inception = fitted(inputs, np.array([int(path.parent.name) for path in paths]))
    options = Options(
        "narrow", calibration=folder / "training", validation=folder / "validation", out=folder / "models"
    )
    return Trained(source_of(inception), options)


def save(scans: Any, digits: Any, folder: Path) -> None:
    for i, (scan, digit) in enumerate(zip(scans, digits, strict=True)):
        (folder / str(digit)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(training.as_picture(scan)).save(folder / str(digit) / f"{i:04}.png")


def source_of(inception: Any) -> Source:
    return from_keras(
        inception,
        "narrow",
        {},
        pixels=trained_with("tf"),
        labels=tuple("0123456789"),
        crop=1.0,
    )


def fitted(inputs: Any, digits: Any) -> Any:
    inception = narrow()
    schedule = keras.optimizers.schedules.CosineDecay(4e-3, EPOCHS * (len(inputs) // BATCH))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    inception.compile(keras.optimizers.Adam(schedule), loss)
    inception.fit(inputs, digits, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return inception


def narrow() -> Any:
    """An Inception with one block of each kind, (N, 24, 24, 1) in -1..1 to logits (N, 10)."""
    x = inputs = keras.Input((SIDE_PX, SIDE_PX, 1))
    x = network.conv(x, 16, (3, 3), strides=2)
    x = network.block_a(x, 12)
    x = network.reduction(x, 16)
    x = network.block_b(x, 16, n=5)
    x = network.block_c(x, 16)
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x)))


def check(cards: dict[Mode, ModelCard]) -> None:
    accuracy = {mode: card.verification["accuracy"] for mode, card in cards.items()}
    assert accuracy["float32"] >= LEAST, "the network has to be trained for the comparison to mean anything"
    assert cards["float32"].verification["source_accuracy"] == accuracy["float32"]
    assert {card.verification["pictures"] for card in cards.values()} == {360}
    assert max(abs(reached - accuracy["float32"]) for reached in accuracy.values()) <= MOST_LOST, accuracy


def test_every_quantisation_keeps_the_accuracy_of_a_trained_inception(trained: Trained) -> None:
    cards = on_digits.convert_all(*trained)
    assert {mode: card.quantization for mode, card in cards.items()} == {mode: mode for mode in cards}
    assert {card.source["convolutions_moved_before_pools"] for card in cards.values()} == {3}
    check(cards)


def test_a_calibration_on_the_wrong_pictures_loses_it(trained: Trained, tmp_path: Path) -> None:
    """What the test above would see of a broken quantisation."""
    for i in range(3):
        Image.new("L", (8, 8), 255).save(tmp_path / f"{i}.png")
    options = replace(trained.options, quantize="int8", calibration=tmp_path, min_agreement=0.0, max_difference=1.0)
    card = convert(replace(trained.source, name="blank"), options).card
    assert card.verification["accuracy"] < card.verification["source_accuracy"] - 10 * MOST_LOST


@pytest.mark.skipif("SLIMCEPTION_LONG" not in os.environ, reason="training takes minutes: set SLIMCEPTION_LONG=1")
def test_every_quantisation_keeps_the_accuracy_of_the_whole_inception_v3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = on_digits.source_of(on_digits.train(epochs=5))
    calibration, validation = on_digits.write_pictures(tmp_path)
    options = Options("digits", calibration=calibration, validation=validation, out=tmp_path / "models")
    cards = on_digits.convert_all(source, options)
    with capsys.disabled():
        Console(width=100).print("", on_digits.table(cards))
    check(cards)
