"""A model before conversion, with what is known of its labels and its preprocessing."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.errors import ModelError
from chalicelib.inference.card import Color, InputSpec
from chalicelib.inference.registry import parse_labels
from convert.errors import ConvertError
from convert.options import NO_DEFAULTS, Defaults

IMAGENET_OUTPUTS = (1000, 1001)
IMAGENET_CROP = 0.875


@dataclass(frozen=True)
class Preprocess:
    """(value - mean) / std for each channel: value in 0..255, channels in the order of `color` (RGB, BGR or L)."""

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
    """A model before conversion."""

    name: str
    tflite: bytes
    """The .tflite file, float or quantised already."""
    input_shape: tuple[int, int, int]
    """Height and width in pixels, channels."""
    outputs: int
    """Number of scores in the output."""
    scores: Callable[[NDArray[np.float32]], NDArray[Any]]
    """The reference for verification, computed by the source's framework.

    Takes the preprocessed input, float32 (1, H, W, C), and returns the raw output, float (outputs,): logits or
    probabilities, as the model has them.
    """
    origin: dict[str, Any]
    """What the card says of the source: kind, file, SHA-256, versions."""
    preprocess: Preprocess | None = None
    labels: tuple[str, ...] | None = None
    crop: float | None = None
    trained: bool = True
    defaults: Defaults = NO_DEFAULTS


class Labels(NamedTuple):
    """The labels, and the number of the model's first outputs that have none."""

    names: tuple[str, ...]
    offset: int


def input_spec(source: Source, preprocess: str | None, crop: float | None) -> tuple[InputSpec, tuple[str, ...]]:
    """The card's input, and notes for the user; raises ConvertError.

    The user's choice goes before the source's. If neither says anything, the convention is used and noted.
    """
    height, width, channels = source.input_shape
    notes: tuple[str, ...] = ()
    if preprocess is not None:
        chosen = PREPROCESS[preprocess]
    elif source.preprocess is not None:
        chosen = source.preprocess
    else:
        chosen = PREPROCESS["tf"]
        notes = ("assumed --preprocess tf (pixels scaled to -1..1); give --preprocess if it was trained otherwise",)
    if crop is None:
        crop = source.crop or (IMAGENET_CROP if source.outputs in IMAGENET_OUTPUTS else 1.0)
    chosen = _fitted(chosen, channels)
    try:
        return InputSpec(width, height, chosen.color, crop, chosen.mean, chosen.std), notes
    except ModelError as error:
        raise ConvertError(str(error)) from error


def labelled(source: Source, labels_file: Path | None) -> tuple[Labels, tuple[str, ...]]:
    """The labels, and notes for the user; raises ConvertError if the labels do not fit the outputs."""
    labels = read_labels(labels_file) if labels_file else source.labels
    if labels is None:
        note = "no labels given: the classes are called 'class 0', 'class 1', ...; give --labels FILE to name them"
        return Labels(tuple(f"class {i}" for i in range(source.outputs)), 0), (note,)
    if len(labels) == source.outputs:
        return Labels(labels, 0), ()
    if (len(labels), source.outputs) == IMAGENET_OUTPUTS:  # the first output is "background"
        return Labels(labels, 1), ()
    raise ConvertError(
        f"{len(labels)} labels{f' in {labels_file}' if labels_file else ''} for a model of {source.outputs} outputs: "
        "give --labels FILE with one line for each output"
    )


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels in a file, one on each line; raises ConvertError."""
    try:
        return parse_labels(path.read_bytes())
    except OSError as error:
        raise ConvertError(f"cannot read the labels {path}: {error.strerror}") from error
    except ModelError as error:
        raise ConvertError(f"{path}: {error}") from error


def sha256_of(path: Path) -> str:
    """SHA-256, in hexadecimal, of a file, or of a folder's files in the order of their names; raises OSError."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def named(source: Source, name: str | None) -> Source:
    """The source with the name that the user chose for the bundle, if any."""
    return replace(source, name=name) if name else source


def _fitted(preprocess: Preprocess, channels: int) -> Preprocess:
    """The preprocessing with one value for each channel; a grey model takes the values of the first channel."""
    if channels == 1:
        return Preprocess("L", preprocess.mean[:1], preprocess.std[:1])
    if channels != 3:
        raise ConvertError(
            f"the model's input has {channels} channels: only 1 (grey) and 3 (colour) are served, channels last"
        )
    if len(preprocess.mean) == 1:
        return Preprocess(preprocess.color, preprocess.mean * 3, preprocess.std * 3)
    return preprocess
