"""`python -m convert digits`: the trained network as a source, with its held-out scans as pictures."""

import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import Progress

from convert.digits import training
from convert.screen import console, quiet_libraries, working
from convert.sources import PREPROCESS, Source
from convert.tensorflow_source import from_keras

CALIBRATION_PICTURES = 200
LABELS = tuple(str(digit) for digit in range(10))


@contextmanager
def trained_digits(options: Namespace) -> Iterator[Source]:
    """Train; where the command line is silent: int8, calibrated on training pictures, verified on held-out ones."""
    with Progress(console=console) as progress, quiet_libraries():
        task = progress.add_task("Training on digits", total=training.EPOCHS)
        network = training.train(
            lambda _, loss: progress.update(task, advance=1, description=f"Training, loss {loss:.3f}")
        )
    origin = {
        "kind": "digits",
        "data": "sklearn.datasets.load_digits",
        "network": "narrow Inception",
        "seed": training.SEED,
    }
    with working("Reading the network"), quiet_libraries():
        source = from_keras(network, "digits", origin, preprocess=PREPROCESS["tf"], labels=LABELS, crop=1.0)
    with tempfile.TemporaryDirectory() as folder:
        calibration, validation = Path(folder) / "calibration", Path(folder) / "validation"
        _write_pictures(calibration, validation)
        options.quantize = options.quantize or "int8"
        options.calibration = options.calibration or calibration
        options.validation = options.validation or validation
        yield source


def _write_pictures(calibration: Path, validation: Path) -> None:
    scans, held_out, answers, held_out_answers = training.load_split()
    rng = np.random.default_rng(training.SEED)
    some = rng.permutation(len(scans))[: CALIBRATION_PICTURES // 2]
    for i, pixels in enumerate(training.pictures(scans[some], answers[some], rng)[0]):
        _save(pixels[..., 0], calibration / f"{i:04}.png")
    for i, (scan, answer) in enumerate(zip(held_out, held_out_answers, strict=True)):
        _save(training.as_picture(scan), validation / str(answer) / f"{i:04}.png")


def _save(pixels: NDArray[Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
