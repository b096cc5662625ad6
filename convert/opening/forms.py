"""The forms in which networks take a picture: channels last or first, grey without channels, one row of pixels."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from convert.errors import ConvertError

CHANNELS = (1, 3)
LEAST_SIDE_PX = 8
CHANNELS_FIRST = (0, 3, 1, 2)
"""The order of a picture's axes in (N, C, H, W), as `transpose` takes it."""


class Form(NamedTuple):
    """How a picture, (1, height, width, channels), becomes what the network takes."""

    shape: tuple[int, int, int]
    """Height and width in px, channels."""
    to_model: Callable[[Any], Any]
    """A tensor (1, H, W, C) of TensorFlow or NumPy in the network's own shape."""
    model_shape: tuple[int, ...]
    """The network's own shape for one picture."""
    notes: tuple[str, ...] = ()
    remedy: str = "Build the network with keras.Input((height, width, 3)) and save it again"
    """What to do if the network does not run with it."""


def form_of(shape: tuple[int | None, ...], size: tuple[int, int] | None) -> Form:
    """The form of a network whose input is `shape`, batch first, None where it is open; raises ConvertError.

    `size` is the width and height in px that the user gives; only open sides take it (see `resized` for the others).
    """
    match shape[1:]:
        case (height, width, channels) if channels in CHANNELS:
            height, width = _sides(height, width, size, shape)
            return Form((height, width, channels), lambda picture: picture, (1, height, width, channels))
        case (channels, height, width) if channels in CHANNELS:
            height, width = _sides(height, width, size, shape)
            note = f"the network takes channels first, {shown(shape)}: they are moved inside of the model"
            return Form((height, width, channels), _transposed, (1, channels, height, width), (note,))
        case (height, width) if _is_side(height) and _is_side(width):
            return _grey(height, width, size, shape)
        case (int(count),):
            return _row(count, size, shape)
        case _:
            raise ConvertError(
                f"the model's input is {shown(shape)}: expected (batch, height, width, channels) with 1 or 3 channels; "
                "an image classifier takes one picture, not a sequence, a signal or text"
            )


def shown(shape: tuple[int | None, ...]) -> str:
    """A shape as people write it: (?, 224, 224, 3)."""
    return f"({', '.join('?' if n is None else str(n) for n in shape)})"


def _is_side(n: int | None) -> bool:
    return n is None or n >= LEAST_SIDE_PX


def _sides(
    height: int | None, width: int | None, size: tuple[int, int] | None, shape: tuple[int | None, ...]
) -> tuple[int, int]:
    if size is None and (height is None or width is None):
        raise ConvertError(
            f"the model's input is {shown(shape)}: it leaves its size open; "
            "give the one that it was trained with: --input-size 224"
        )
    wanted = size or (width, height)
    return int(height or wanted[1] or 0), int(width or wanted[0] or 0)


def _grey(height: int | None, width: int | None, size: tuple[int, int] | None, shape: tuple[int | None, ...]) -> Form:
    """The form of a network that takes rows of pixels without channels."""
    if size is None and height != width:
        raise ConvertError(
            f"the model's input is {shown(shape)}: a sequence or a signal has such a shape; "
            f"if it is a grey picture, say so: --input-size {width or 224}x{height or 224}"
        )
    height, width = _sides(height, width, size, shape)
    note = f"the model's input, {shown(shape)}, is read as a grey picture"
    return Form((height, width, 1), lambda picture: picture[..., 0], (1, height, width), (note,))


def _row(count: int, size: tuple[int, int] | None, shape: tuple[int | None, ...]) -> Form:
    """The form of a network that takes one row of pixels: a square picture, grey or in colour, or one of `size`."""
    for channels in CHANNELS:
        side = math.isqrt(count // channels)
        width, height = size or (side, side)
        if width * height * channels == count and min(width, height) >= LEAST_SIDE_PX:
            note = f"the row of {count} values, {shown(shape)}, is read as {width}x{height} px of {channels} channels"
            return Form((height, width, channels), lambda picture: _flat(picture, count), (1, count), (note,))
    raise ConvertError(
        f"the model's input is a row of {count} values: no square picture has so many; "
        "give its sides with --input-size WIDTHxHEIGHT, if it is a picture"
    )


def _transposed(picture: Any) -> Any:
    if isinstance(picture, np.ndarray):
        return picture.transpose(CHANNELS_FIRST)
    import tensorflow as tf

    return tf.transpose(picture, CHANNELS_FIRST)


def _flat(picture: Any, count: int) -> Any:
    if isinstance(picture, np.ndarray):
        return picture.reshape(1, count)
    import tensorflow as tf

    return tf.reshape(picture, [1, count])
