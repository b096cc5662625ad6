"""Pictures to try a model on when there are none, or not enough: the same ones for every model."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from chalicelib.inference.card import InputSpec
from convert.pictures import read_pixels

GIVEN = 8
"""Of the user's pictures, at most."""


def probes(spec: InputSpec, pictures: list[Path]) -> list[NDArray[np.uint8]]:
    """uint8 (height, width, channels) each: grey, black, white, noise, a gradient, shapes, and some of `pictures`."""
    shape = (spec.height, spec.width, spec.channels)
    rng = np.random.default_rng(7)
    flat = [np.full(shape, value, np.uint8) for value in (0, 127, 255)]
    noise = [rng.integers(0, 256, shape, np.uint8), rng.integers(0, 80, shape, np.uint8)]
    drawn = [_drawn(spec, seed) for seed in range(3)]
    step = max(1, len(pictures) // GIVEN)
    return [*flat, *noise, *drawn, *(read_pixels(path, spec) for path in pictures[::step][:GIVEN])]


def _drawn(spec: InputSpec, seed: int) -> NDArray[np.uint8]:
    """Filled ellipses and boxes of any colour over a gradient."""
    rng = np.random.default_rng(seed)
    picture = Image.linear_gradient("L").resize((spec.width, spec.height)).convert("RGB")
    pen = ImageDraw.Draw(picture)
    for draw in (pen.ellipse, pen.rectangle) * 3:
        xs, ys = (sorted(int(n) for n in rng.integers(0, side, 2)) for side in (spec.width, spec.height))
        draw((xs[0], ys[0], xs[1], ys[1]), fill=tuple(int(n) for n in rng.integers(0, 256, 3)))
    pixels = np.asarray(picture.convert("L") if spec.channels == 1 else picture)
    return pixels.reshape(spec.height, spec.width, spec.channels)
