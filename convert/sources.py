"""A model before conversion, with what is known of its labels and its preprocessing."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chalicelib.errors import ModelError
from chalicelib.inference.card import Color, InputSpec
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
