"""docs/your-own-model.md, "By where it comes from": each command runs as it stands, and its bundle is right."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("keras", reason="conversion needs TensorFlow: make convert-env")

from chalicelib.inference.registry import load_bundle
from convert.verify import served
from tests.support.pages import DOCS, section
from tests.support.paths import DATA
from tests.whole.test_worked_example import run

SECTION = section(DOCS / "your-own-model.md", "By where it comes from")
FLOWERS = ("daisy", "tulip")
TORCH_SCORES = [0.289425, 0.561868, 0.148707]
"""What PyTorch itself gives for the picture of `torch_picture`, with torchvision's Normalize and a softmax. The model
was written by the page's two lines: a convolution, a pool and a linear layer for 16x16 pixels, random weights."""


def command_with(part: str) -> str:
    """The command of the section that holds `part`, with the commands above it in its block."""
    (found,) = (block for block in SECTION.split("```sh\n")[1:] if part in block)
    return found.partition("```")[0]


def convert(folder: Path, part: str, more: str = "") -> dict[str, Any]:
    """The card that the command writes."""
    shutil.rmtree(folder / "models", ignore_errors=True)
    run(folder, command_with(part).rstrip() + more)
    (bundle,) = (folder / "models").iterdir()
    card: dict[str, Any] = json.loads((bundle / "model.json").read_text())
    return card


def labelled(folder: Path, names: tuple[str, ...], count: int, side: int) -> None:
    rng = np.random.default_rng(2)
    for i, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for n in range(count):
            pixels = rng.integers(60 * i, 60 * i + 120, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{n}.png")


def torch_picture() -> Image.Image:
    pixels = (np.arange(16 * 16 * 3).reshape(16, 16, 3) * 37 % 256).astype(np.uint8)
    return Image.fromarray(pixels)


def test_teachable_machine(test_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "converted_keras.zip", "w") as archive:
        for path in sorted((test_data / "sources" / "teachable_machine").iterdir()):
            archive.write(path, path.name)
    card = convert(tmp_path, "converted_keras.zip")
    assert load_bundle(tmp_path / "models" / "drinks").labels == ("Naranja", "Negro", "Nada")
    assert (card["input"]["width"], card["input"]["mean"], card["input"]["std"]) == (224, [127.5] * 3, [127.5] * 3)


def test_a_keras_tutorial(tmp_path: Path) -> None:
    """Its last model: augmentation, Rescaling, convolutions, logits; trained on nothing here."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(0.1),
            keras.layers.Rescaling(1.0 / 255),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Dropout(0.2),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(2),
        ]
    )
    model.save(tmp_path / "flowers.keras")
    labelled(tmp_path / "flower_photos", FLOWERS, 6, 32)
    card = convert(tmp_path, "flowers.keras")
    assert (card["contract"]["pixels"]["from"], card["input"]["mean"], card["input"]["std"]) == (
        "graph",
        [0.0] * 3,
        [1.0] * 3,
    )
    assert (card["input"]["resize"], card["output"]["scores"]) == ("tf-bilinear", "logits")
    assert card["verification"]["accuracy"] == card["verification"]["source_accuracy"]
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    logits = model(pixels[np.newaxis].astype(np.float32), training=False)
    wanted = np.asarray(keras.ops.softmax(logits))[0]
    np.testing.assert_allclose(served(tmp_path / "models" / "flowers").scores(pixels), wanted, atol=0.05)


def test_a_network_with_imagenets_weights(tmp_path: Path) -> None:
    """Its weights would be downloaded; random ones take their place."""
    card = convert(tmp_path, "convert mobilenet_v2", " --weights none")
    assert (card["input"]["width"], card["input"]["crop"], card["input"]["std"]) == (224, 0.875, [127.5] * 3)
    assert (card["contract"]["pixels"]["from"], card["output"]["classes"]) == ("source", 1000)


def test_pytorch(tmp_path: Path) -> None:
    shutil.copy(DATA / "torch" / "small.tflite", tmp_path / "torch.tflite")
    (tmp_path / "labels.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "pictures").mkdir()
    torch_picture().save(tmp_path / "pictures" / "1.png")
    card = convert(tmp_path, "torch.tflite", " --quantize float32")
    assert card["contract"]["pixels"]["value"].endswith("(torch)")
    scores = served(tmp_path / "models" / "torch").scores(np.asarray(torch_picture()))
    np.testing.assert_allclose(scores, TORCH_SCORES, atol=1e-5)


def test_a_published_tflite(test_data: Path, tmp_path: Path) -> None:
    shutil.copy(test_data / "sources" / "automl_vision_edge.tflite", tmp_path / "published.tflite")
    card = convert(tmp_path, "published.tflite")
    assert card["contract"]["pixels"]["from"] == "metadata"
    assert (card["quantization"], card["output"]["classes"]) == ("uint8", 5)


def test_moderation_with_nsfwjs(test_data: Path, tmp_path: Path) -> None:
    shutil.copytree(test_data / "tfjs" / "nsfwjs_mobilenet_v2", tmp_path / "nsfwjs_mobilenet_v2")
    (tmp_path / "pictures").mkdir()
    some = sorted((test_data / "imagenet_sample").glob("*.JPEG"))[::10]
    for path in some:
        shutil.copy(path, tmp_path / "pictures")
    card = convert(tmp_path, "nsfwjs_mobilenet_v2")
    assert card["verification"]["top1_agreement"] == 1.0
    assert load_bundle(tmp_path / "models" / "nsfwjs_mobilenet_v2").labels[2] == "Neutral"
