"""Trains Inception v3 on handwritten digits and converts it in every mode: accuracy, size, latency.

Random weights make a bad test of quantisation, and ImageNet's need a network connection. So the whole network is
trained here, with the smallest input that Keras allows, on scikit-learn's digits.

    python -m benchmarks.inception.on_digits [--epochs 6] [--processor avx2]
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
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

from benchmarks import machine
from chalicelib.inference.card import ModelCard
from convert.arguments import count
from convert.contract.findings import trained_with
from convert.digits.source import LABELS
from convert.digits.training import as_picture, load_split
from convert.errors import ConvertError
from convert.modes import MODES, Mode
from convert.opening.keras_files import from_keras
from convert.options import Options
from convert.pipeline import convert
from convert.screen import quiet_libraries
from convert.sources import Source
from localaws.processor import mask_option

SIDE_PX = 75
BATCH = 32
CALIBRATION_PICTURES = 200


def enlarged(scan: NDArray[Any]) -> NDArray[np.uint8]:
    """A scan (8, 8), 0..16, as an RGB picture, uint8 (75, 75, 3)."""
    picture = Image.fromarray(as_picture(scan)).resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
    return np.asarray(picture.convert("RGB"))


def network_input(scans: NDArray[Any]) -> NDArray[np.float32]:
    """Scans (N, 8, 8), 0..16, as the network's input, float32 (N, 75, 75, 3) in -1..1."""
    return np.stack([enlarged(scan) for scan in scans]).astype(np.float32) / 127.5 - 1


def untrained(momentum: float) -> Any:
    """Inception v3 of Keras applications, (N, 75, 75, 3) to ten probabilities; the same seed gives the same weights.

    `momentum` is that of its batch norms: with 0 they keep the statistics of the last training batch.
    """
    keras.utils.set_random_seed(1)
    network = keras.applications.InceptionV3(weights=None, input_shape=(SIDE_PX, SIDE_PX, 3), classes=len(LABELS))
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
    return network


def train(epochs: int) -> Any:
    """Inception v3, trained from scratch on the training scans; the same seed gives the same training."""
    network = untrained(momentum=0.9)  # 0.99, Keras's default, would need more steps than there are here
    scans, _, digits, _ = load_split()
    pixels = network_input(scans)
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
    """Write the folders for calibration (training scans) and validation (held-out scans, a folder for each class)."""
    scans, held_out, _, answers = load_split()
    for i, scan in enumerate(scans[:CALIBRATION_PICTURES]):
        _save(scan, folder / "calibration" / f"{i:04}.png")
    for i, (scan, answer) in enumerate(zip(held_out, answers, strict=True)):
        _save(scan, folder / "validation" / str(answer) / f"{i:04}.png")
    return folder / "calibration", folder / "validation"


def _save(scan: NDArray[Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(enlarged(scan)).save(path)


def source_of(network: Any) -> Source:
    """The trained network as a source; raises ConvertError."""
    with quiet_libraries():
        about = {"kind": "digits"}
        return from_keras(network, "inception_digits", about, pixels=trained_with("tf"), labels=LABELS, crop=1.0)


def convert_all(source: Source, options: Options) -> dict[Mode, ModelCard]:
    """Convert in every mode; the cards, with what verification measured. Raises ConvertError."""
    return {mode: convert(replace(source, name=mode), replace(options, quantize=mode)).card for mode in MODES}


def table(cards: dict[Mode, ModelCard], heading: str) -> Table:
    """Size, accuracy and latency, one line for each mode; `heading` names the processor."""
    shown = Table(title=f"Inception v3 trained on digits, 75x75, 360 held-out pictures\n{heading}")
    for column in ("mode", "MB", "accuracy", "source", "same best class", "largest difference", "ms, 1 thread"):
        shown.add_column(column, justify="left" if column == "mode" else "right")
    for mode, card in cards.items():
        measured = card.verification
        numbers = [f"{measured[name]:.2%}" for name in ("accuracy", "source_accuracy", "top1_agreement")]
        rest = (f"{measured['max_score_difference']:.4f}", f"{measured['latency_ms']:.2f}")
        shown.add_row(mode, f"{card.size_bytes / 1e6:.1f}", *numbers, *rest)
    return shown


def main() -> int:
    """Train, convert, print the table; exit code 2 if a conversion fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=count, default=6, metavar="N", help="epochs of training (default %(default)s)")
    mask_option.add_option(parser)
    given = parser.parse_args()
    processor = machine.shown_to_this_process(parser, given.processor)
    network = train(given.epochs)
    with tempfile.TemporaryDirectory() as name:
        calibration, validation = write_pictures(Path(name))
        options = Options("digits", calibration=calibration, validation=validation, out=Path(name) / "models")
        try:
            cards = convert_all(source_of(network), options)
        except ConvertError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    Console(width=100).print(table(cards, processor.heading))
    return 0


if __name__ == "__main__":
    sys.exit(main())
