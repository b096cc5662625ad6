"""Where a model comes from: a float graph with what is known of its labels and its preprocessing."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chalicelib.errors import ModelError
from chalicelib.inference.card import Color, InputSpec
from chalicelib.inference.registry import parse_labels
from convert.errors import ConvertError

IMAGENET_OUTPUTS = (1000, 1001)
IMAGENET_CROP = 0.875


@dataclass(frozen=True)
class Preprocess:
    """(value - mean) / std for each channel, value in 0..255, channels in `color` order."""

    color: Color
    mean: tuple[float, ...]
    std: tuple[float, ...]


# Keras calls these four by these names (keras.applications.imagenet_utils.preprocess_input).
PREPROCESS = {
    "tf": Preprocess("RGB", (127.5,) * 3, (127.5,) * 3),
    "torch": Preprocess("RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "caffe": Preprocess("BGR", (103.939, 116.779, 123.68), (1.0,) * 3),
    "none": Preprocess("RGB", (0.0,) * 3, (1.0,) * 3),
}


@dataclass(frozen=True)
class Source:
    """A model before conversion.

    `scores` is the reference for verification: the source's own framework, float32 input (1, H, W, C)
    to the raw output (outputs,).
    """

    name: str
    tflite: bytes
    input_shape: tuple[int, int, int]
    outputs: int
    scores: Callable[[NDArray[np.float32]], NDArray[Any]]
    origin: dict[str, Any]
    preprocess: Preprocess | None = None
    labels: tuple[str, ...] | None = None
    crop: float | None = None
    trained: bool = True
    notes: list[str] = field(default_factory=list)
    """What the user should know: assumptions made, things missing."""


def input_spec(source: Source, preprocess: str | None, crop: float | None) -> InputSpec:
    """The card's input: what the user says, else what the source says, else the convention, noted."""
    height, width, channels = source.input_shape
    if preprocess is not None:
        chosen = PREPROCESS[preprocess]
    elif source.preprocess is not None:
        chosen = source.preprocess
    else:
        chosen = PREPROCESS["tf"]
        source.notes.append(
            "assumed --preprocess tf (pixels scaled to -1..1); say --preprocess if it was trained otherwise"
        )
    if crop is None:
        crop = source.crop or (IMAGENET_CROP if source.outputs in IMAGENET_OUTPUTS else 1.0)
    chosen = _fitted(chosen, channels)
    try:
        return InputSpec(width, height, chosen.color, crop, chosen.mean, chosen.std)
    except ModelError as error:
        raise ConvertError(str(error)) from error


def labelled(source: Source, labels_file: Path | None) -> tuple[tuple[str, ...], int]:
    """Labels, and how many of the model's first outputs have none; raises ConvertError when they do not fit."""
    labels = read_labels(labels_file) if labels_file else source.labels
    if labels is None:
        source.notes.append(
            "no labels given: they are called 'class 0', 'class 1', ...; give --labels FILE to name them"
        )
        labels = tuple(f"class {i}" for i in range(source.outputs))
    if len(labels) == source.outputs:
        return labels, 0
    if (len(labels), source.outputs) == IMAGENET_OUTPUTS:
        return labels, 1
    raise ConvertError(
        f"{len(labels)} labels{f' in {labels_file}' if labels_file else ''} for a model of {source.outputs} outputs: "
        "give --labels FILE with one label a line for each output"
    )


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels in a file, one a line; raises ConvertError."""
    try:
        return parse_labels(path.read_bytes())
    except OSError as error:
        raise ConvertError(f"cannot read the labels {path}: {error.strerror}") from error
    except ModelError as error:
        raise ConvertError(f"{path}: {error}; save it as UTF-8") from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files in the order of their names."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def named(source: Source, name: str | None) -> Source:
    """The source under the name that the user wants for its bundle."""
    return replace(source, name=name) if name else source


def _fitted(preprocess: Preprocess, channels: int) -> Preprocess:
    """The same for a grey model: one channel, which takes the first's numbers. One value stands for all three."""
    if channels == 1:
        return Preprocess("L", preprocess.mean[:1], preprocess.std[:1])
    if channels != 3:
        raise ConvertError(f"the model wants {channels} channels: only 1 (grey) and 3 (colour) are served")
    if len(preprocess.mean) == 1:
        return Preprocess(preprocess.color, preprocess.mean * 3, preprocess.std * 3)
    return preprocess
