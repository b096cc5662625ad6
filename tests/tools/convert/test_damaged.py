"""Damaged files: each is refused in one line, with nothing written, or gives a bundle that serves.

SLIMCEPTION_LONG=1 tries 300 of each source.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import keras
import pytest
import tensorflow as tf

from tests.tools.convert.conftest import Run
from tests.tools.convert.small import CLASSES, SIDE_PX, picture, saved_model, scores, tflite
from tests.tools.convert.test_command_line import listing, served
from tests.tools.convert.test_content import zipped

Cli = Callable[..., Run]
MANY, FEW = 200, 12
"""TensorFlow takes half a second for each."""


def a_tflite(folder: Path) -> Path:
    (folder / "a.tflite").write_bytes(tflite(scores, picture(1, SIDE_PX, SIDE_PX, 3)))
    return folder / "a.tflite"


def channels_first(folder: Path) -> Path:
    data = tflite(lambda x: scores(tf.transpose(x, [0, 2, 3, 1])), picture(1, 3, SIDE_PX, SIDE_PX))
    (folder / "a.tflite").write_bytes(data)
    return folder / "a.tflite"


def of_keras(path: Path) -> Path:
    inputs = keras.Input((SIDE_PX, SIDE_PX, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3, activation="relu")(inputs))
    keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x)).save(path)
    return path


def a_saved_model(folder: Path) -> Path:
    return saved_model(folder / "saved", scores, picture(None, SIDE_PX, SIDE_PX, 3))


SOURCES: dict[str, tuple[Callable[[Path], Path], int]] = {
    "tflite": (a_tflite, MANY),
    "tflite with channels first": (channels_first, MANY),
    "keras": (lambda folder: of_keras(folder / "a.keras"), FEW),
    "h5": (lambda folder: of_keras(folder / "a.h5"), FEW),
    "saved model": (a_saved_model, FEW),
    "zip": (lambda folder: zipped(a_tflite(folder), folder / "a.zip"), MANY),
}


def damaged(data: bytes, random: Random) -> bytes:
    """Some bytes changed, overwritten, moved, or cut off."""
    changed, place = bytearray(data), random.randrange(len(data))
    length = min(random.choice([4, 16, 64, 256]), len(data) - place)
    match random.randrange(4):
        case 0:
            for _ in range(random.choice([1, 4, 16])):
                changed[random.randrange(len(data))] = random.randrange(256)
        case 1:
            changed[place : place + length] = bytes([random.choice([0, 127, 255])]) * length
        case 2:
            other = random.randrange(len(data))
            changed[place : place + length] = data[other : other + length]
        case _:
            del changed[place:]
    return bytes(changed)


@pytest.mark.parametrize(("make", "count"), SOURCES.values(), ids=SOURCES)
def test_a_damaged_file_is_refused_in_one_line_or_serves(
    make: Callable[[Path], Path], count: int, run: Cli, tmp_path: Path
) -> None:
    source, codes = make(tmp_path), []
    for number in range(300 if os.environ.get("SLIMCEPTION_LONG") else count):
        random, folder = Random(number), tmp_path / str(number)
        folder.mkdir()
        target = folder / source.name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        file = random.choice(sorted(p for p in target.rglob("*") if p.is_file())) if source.is_dir() else target
        file.write_bytes(damaged(file.read_bytes(), random))
        result = run(target, "--out", folder / "out", "--quantize", "float32", "--preprocess", "unit")
        codes.append(result.code)
        lines = [line for line in result.err.splitlines() if line.startswith("convert: ")]
        if result.code == 0:
            served(folder / "out" / source.stem).warm()
        else:
            assert (result.code, listing(folder / "out"), len(lines)) == (2, [], 1), f"{number}: {result.err}"
        shutil.rmtree(folder)
    assert 2 in codes
