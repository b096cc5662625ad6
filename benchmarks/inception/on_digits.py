"""The real Inception v3 graph, trained on handwritten digits, converted in every mode: accuracy, size, latency.

Random weights make a bad test of quantisation, and ImageNet's cannot be had without a network; so the whole
network is trained here, at Keras's smallest input, on the digits that scikit-learn brings along.

    python -m benchmarks.inception.on_digits [--epochs 6]
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from chalicelib.inference.card import ModelCard
from chalicelib.inference.registry import load_card
from convert.__main__ import main as convert
from convert.digits.training import as_picture, load_split

SIDE_PX = 75
BATCH = 32
MODES = ("float32", "float16", "dynamic", "int8")


def enlarged(scan: NDArray[Any]) -> NDArray[np.uint8]:
    """A scan as an RGB picture, uint8 (75, 75, 3)."""
    picture = Image.fromarray(as_picture(scan)).resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
    return np.asarray(picture.convert("RGB"))


def train(epochs: int) -> Any:
    """Inception v3 of Keras applications, trained from scratch; the same seed gives the same training."""
    keras.utils.set_random_seed(1)
    network = keras.applications.InceptionV3(weights=None, input_shape=(SIDE_PX, SIDE_PX, 3), classes=10)
    for layer in network.layers:  # 0.99, Keras's default, would need more steps than there are here
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
    scans, _, digits, _ = load_split()
    pixels = np.stack([enlarged(scan) for scan in scans]).astype(np.float32) / 127.5 - 1
    steps = epochs * (len(scans) // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(1e-4, steps, warmup_target=1e-3, warmup_steps=steps // 8)
    network.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")
    rng = np.random.default_rng(1)
    for _ in track(range(epochs), "Training Inception v3", console=Console(stderr=True)):
        order = rng.permutation(len(pixels))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            network.train_on_batch(pixels[chosen], digits[chosen])
    return network


def write_pictures(folder: Path) -> tuple[Path, Path]:
    """Calibration (training scans) and validation (held-out scans, a folder for each class)."""
    scans, held_out, _, answers = load_split()
    for i, scan in enumerate(scans[:200]):
        _save(scan, folder / "calibration" / f"{i:04}.png")
    for i, (scan, answer) in enumerate(zip(held_out, answers, strict=True)):
        _save(scan, folder / "validation" / str(answer) / f"{i:04}.png")
    return folder / "calibration", folder / "validation"


def _save(scan: NDArray[Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(enlarged(scan)).save(path)


def convert_all(network: Any, folder: Path, extra: Sequence[str] = ()) -> dict[str, ModelCard]:
    """Convert in every mode through the command line; the cards, with what verification measured."""
    calibration, validation = write_pictures(folder)
    (folder / "labels.txt").write_text("".join(f"{digit}\n" for digit in range(10)))
    network.save(folder / "inception_digits.keras")
    cards = {}
    for mode in MODES:
        arguments = [str(folder / "inception_digits.keras"), "--quantize", mode, "--name", mode, *extra]
        arguments += ["--out", str(folder / "models"), "--labels", str(folder / "labels.txt"), "--preprocess", "tf"]
        code = convert([*arguments, "--calibration", str(calibration), "--validation", str(validation)])
        if code != 0:
            raise SystemExit(f"conversion to {mode} failed with exit code {code}")
        cards[mode] = load_card(folder / "models" / mode)
    return cards


def table(cards: dict[str, ModelCard]) -> Table:
    """One line for each mode."""
    shown = Table(title="Inception v3 trained on digits, 360 held-out pictures")
    for column in ("mode", "MB", "accuracy", "source", "same best class", "largest difference", "ms, 1 thread"):
        shown.add_column(column, justify="left" if column == "mode" else "right")
    for mode, card in cards.items():
        measured = card.verification
        numbers = [f"{measured[name]:.2%}" for name in ("accuracy", "source_accuracy", "top1_agreement")]
        rest = (f"{measured['max_score_difference']:.4f}", f"{measured['latency_ms']:.2f}")
        shown.add_row(mode, f"{card.size_bytes / 1e6:.1f}", *numbers, *rest)
    return shown


def main() -> int:
    """Train, convert, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    network = train(parser.parse_args().epochs)
    with tempfile.TemporaryDirectory() as folder:
        cards = convert_all(network, Path(folder))
    Console(width=100).print(table(cards))
    return 0


if __name__ == "__main__":
    sys.exit(main())
