"""A model before conversion, with what is known of its labels and its preprocessing."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convert.contract.findings import Finding, Preprocess
from convert.options import NO_DEFAULTS, Defaults

IMAGENET_OUTPUTS = (1000, 1001)
IMAGENET_CROP = 0.875


class Sizes(Protocol):
    """A network at sizes of pictures, width and height in px, for which it was not made."""

    def fits(self, size: tuple[int, int]) -> bool:
        """Whether every layer takes pictures of this size."""

    def at(self, size: tuple[int, int]) -> tuple[bytes, Callable[[NDArray[np.float32]], NDArray[Any]]]:
        """The .tflite file and the reference, as `Source.scores`, of a size that fits."""


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
    pixels: Finding[Preprocess] | None = None
    """How pixels are scaled outside of the model, if the model or its publisher shows it."""
    labels: tuple[str, ...] | None = None
    crop: float | None = None
    trained: bool = True
    defaults: Defaults = NO_DEFAULTS
    notes: tuple[str, ...] = ()
    """What the user should know of how the source was opened."""
    sizes: "Sizes | None" = None
    """The network at other sizes of pictures, by the source's framework; None if only its .tflite graph is there."""
    own: "Source | None" = None
    """The source at the size of pictures that it was made for, if this is not that size."""


def sha256_of(path: Path) -> str:
    """SHA-256, in hexadecimal, of a file, or of a folder's files in the order of their names; raises OSError."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def named(source: Source, name: str | None) -> Source:
    """The source with the name that the user chose for the bundle, if any."""
    return replace(source, name=name) if name else source
