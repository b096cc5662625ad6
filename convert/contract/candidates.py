"""The usual ways to scale pixels, tried on pictures whose class is known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.inference.card import InputSpec
from chalicelib.inference.preprocessing import InputEncoder
from convert.contract.findings import PREPROCESS, Finding, Preprocess
from convert.pictures import read_pixels, spread

PICTURES = 50
LEAST_PICTURES, LEAST_CLASSES = 10, 2
LEAST_LEAD = 0.05
"""Of the share that is right, over the second: less may be luck with so few pictures."""


class Tried(NamedTuple):
    """One way to scale pixels."""

    name: str
    right: float
    """Share of the pictures whose own class scores best."""
    certainty: float
    """Mean score of the pictures' own classes."""


def pixels_by_trying(
    score: Callable[[NDArray[np.float32]], NDArray[Any]], specs: dict[str, InputSpec], labelled: list[tuple[Path, int]]
) -> tuple[Finding[Preprocess] | None, str]:
    """The way that is right most often, if one stands out, and a sentence about all of them; "" if none was tried.

    `score` takes preprocessed input, float32 (1, H, W, C), and returns a score for each label. `specs` has an input
    for each name in PREPROCESS, `labelled` each picture's class.
    """
    if len(labelled) < LEAST_PICTURES or len({truth for _, truth in labelled}) < LEAST_CLASSES:
        return None, ""
    some = spread(labelled, PICTURES)
    pixels = [read_pixels(path, next(iter(specs.values()))) for path, _ in some]
    tried = [_try(name, spec, score, pixels, [truth for _, truth in some]) for name, spec in specs.items()]
    tried.sort(key=lambda one: (one.right, one.certainty), reverse=True)
    table = ", ".join(f"{one.name} {one.right:.0%}" for one in tried)
    best, second = tried[:2]
    about = f"right on {len(some)} labelled pictures: {table}"
    if best.right - second.right < LEAST_LEAD:
        return None, f"{about}; none stands out"
    return Finding(PREPROCESS[best.name], "validation", about), about


def _try(
    name: str,
    spec: InputSpec,
    score: Callable[[NDArray[np.float32]], NDArray[Any]],
    pixels: list[NDArray[np.uint8]],
    truth: list[int],
) -> Tried:
    encoder = InputEncoder(spec, np.dtype(np.float32))
    scores = np.stack([score(encoder.encode(picture)) for picture in pixels])
    right = float(np.mean(scores.argmax(axis=1) == truth))
    return Tried(name, right, float(np.mean(scores[np.arange(len(truth)), truth])))
