"""Folders of pictures for calibration and validation, decoded by the served code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from chalicelib.errors import ClientError
from chalicelib.inference import folders, images
from chalicelib.inference.card import InputSpec
from chalicelib.inference.formats import listed
from chalicelib.inference.preprocessing import InputEncoder
from chalicelib.telemetry import Spans
from convert.errors import ConvertError

T = TypeVar("T")


def find_pictures(folder: Path, purpose: str) -> list[Path]:
    """Every picture below `folder`, whatever its name, in the order of their paths; raises ConvertError."""
    if not folder.is_dir():
        raise ConvertError(f"--{purpose} {folder}: no such folder")
    try:
        found = folders.find_pictures(folder).pictures
    except OSError as error:
        raise ConvertError(f"--{purpose} {folder} cannot be read ({error.strerror})") from error
    if not found:
        raise ConvertError(f"--{purpose} {folder} holds no picture ({listed('or')}): give a folder that holds some")
    return sorted(folder / path for path in found)


def spread(paths: list[T], limit: int) -> list[T]:
    """At most `limit` of them, evenly spread, so that every class is seen if each has its folder."""
    if len(paths) <= limit:
        return paths
    return [paths[i * len(paths) // limit] for i in range(limit)]


def read_pixels(path: Path, spec: InputSpec) -> NDArray[np.uint8]:
    """A picture as the served code sees it: uint8 (height, width, channels), 0..255; raises ConvertError."""
    try:
        return images.pixels_of(path.read_bytes(), spec, Spans())
    except ClientError as error:
        raise ConvertError(f"{path}: {error}; repair the picture or remove it") from error


def tensors(paths: list[Path], spec: InputSpec) -> Iterator[NDArray[Any]]:
    """Each picture as the float model's input, preprocessed: float32 (1, height, width, channels)."""
    encoder = InputEncoder(spec, np.dtype(np.float32))
    for path in paths:
        yield encoder.encode(read_pixels(path, spec))


def class_of(path: Path, folder: Path, labels: tuple[str, ...]) -> int | None:
    """The index of the label that a picture's folder names, or None if it names no label.

    The folder is named after the whole label or its first synonym, in upper or lower case:

    "great_white_shark/1.jpg" and "Great white shark/1.jpg" both name "great white shark, white shark".
    """
    if path.parent == folder:
        return None
    wanted = _normal(path.parent.name)
    for index, label in enumerate(labels):
        if wanted in (_normal(label), _normal(label.partition(",")[0])):
            return index
    return None


def _normal(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").strip().casefold()
