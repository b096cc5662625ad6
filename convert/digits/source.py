"""The source of `python -m convert digits`: a network trained now, with pictures to calibrate and verify it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import Progress

from convert.contract.findings import trained_with
from convert.digits import training
from convert.opening.keras_files import from_keras
from convert.options import Defaults
from convert.screen import console, quiet_libraries, working
from convert.sources import Source

CALIBRATION_PICTURES = 200
LABELS = tuple(str(digit) for digit in range(10))


@contextmanager
def trained_digits() -> Iterator[Source]:
    """Train the network. Its defaults: int8, calibrated on training pictures, verified on held-out ones.

    The pictures lie in a temporary folder, which the block's end deletes.
    """
    source = _trained()
    with tempfile.TemporaryDirectory() as folder:
        calibration, validation = Path(folder) / "calibration", Path(folder) / "validation"
        _write_pictures(calibration, validation)
        yield replace(source, defaults=Defaults("int8", calibration, validation))


def _trained() -> Source:
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
        return from_keras(
            network,
            "digits",
            origin,
            pixels=trained_with("tf"),
            labels=LABELS,
            crop=1.0,
        )


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
