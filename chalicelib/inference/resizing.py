"""The methods of resizing that a card may ask for in place of "bilinear": those by which other tools train."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chalicelib.inference.card import Resize

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in px; parts of pixels are allowed."""

_PILLOW = {"area": Image.Resampling.BOX, "nearest": Image.Resampling.NEAREST}
_EPSILON_PX = 1e-6
"""What the arithmetic of a box may add to its right and bottom."""


class _Axis(NamedTuple):
    """For each of n pixels along one side: the two pixels between which it lies, and how near it is to the second."""

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    weight: NDArray[np.float32]


def resized(image: Image.Image, size: tuple[int, int], box: Box, method: Resize) -> Image.Image:
    """The `box` of an RGB image, at `size` (width, height) px, by a method other than "bilinear"."""
    if method == "tf-bilinear":
        return Image.fromarray(_tf_bilinear(image, size, box))
    return image.resize(size, _PILLOW[method], box=box)


def _tf_bilinear(image: Image.Image, size: tuple[int, int], box: Box) -> NDArray[np.uint8]:
    """`tf.image.resize(box, method="bilinear", antialias=False)`, rounded: uint8 (height, width, 3).

    Source: TensorFlow, core/kernels/image/resize_bilinear_op.cc with half-pixel centres. Pillow's own
    `transform(BILINEAR)` samples the same points and rounds down, so that pictures become half a grey level darker.
    Only the rows that are needed are copied: a copy of 12 megapixels takes five times as long.
    """
    x, y = _axis(size[0], box[0], box[2]), _axis(size[1], box[1], box[3])
    columns = np.stack([x.low, x.high])
    corners = np.empty((size[1], 2, 2, size[0], 3), np.uint8)
    for (upper, lower), low, high in zip(corners, y.low.tolist(), y.high.tolist(), strict=True):
        rows = np.asarray(image.crop((0, low, image.width, high + 1)))
        rows[0].take(columns, axis=0, out=upper, mode="clip")  # "clip" writes into `out` without a buffer
        rows[-1].take(columns, axis=0, out=lower, mode="clip")
    left, right = corners[:, :, 0].astype(np.float32), corners[:, :, 1]
    across = left + (right - left) * x.weight[:, np.newaxis]
    down = across[:, 0] + (across[:, 1] - across[:, 0]) * y.weight[:, np.newaxis, np.newaxis]
    return np.rint(down).astype(np.uint8)


def _axis(count: int, start: float, end: float) -> _Axis:
    """Where the centres of `count` pixels lie between `start` and `end`; what is outside is the outermost pixel."""
    at = start + (np.arange(count) + 0.5) * ((end - start) / count) - 0.5
    low = np.floor(at)
    first, last = np.floor(start), np.ceil(end - _EPSILON_PX) - 1
    inside = [np.clip(side, first, last).astype(np.intp) for side in (low, low + 1)]
    return _Axis(inside[0], inside[1], (at - low).astype(np.float32))
