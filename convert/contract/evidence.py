"""How a model scales pixels itself, measured: pictures go in, and what reaches its first weights is looked at.

A network is trained on values of a few units, whatever its pixels had. So if it turns 0..255 into such values, it
expects 0..255; if only 0..1 becomes such values, it expects these.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.contract.findings import PREPROCESS, Finding, Preprocess

Respond = Callable[[NDArray[np.float32]], Sequence[NDArray[Any]]]
"""A picture, float32 (1, H, W, C), to the tensors that the first operators with weights read."""
MOST_TENSORS = 8
"""That are looked at: an ensemble has one for each member, an Inception none but the first."""
RANGES = {"none": (0.0, 255.0), "unit": (0.0, 1.0), "tf": (-1.0, 1.0)}
"""What values a model may be given, by the preprocessing that gives them."""
LEAST_WIDTH, MOST_WIDTH = 0.4, 60.0
"""Of a network's input: 1 and 2 are usual, a normalised one has 4 to 5, of a picture with little contrast up to 30. The
widths that two of the ranges give differ by a factor of 127 or 255; only "unit" and "tf" can both fit."""
USUAL = ((0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5), (-2.1, 2.6))
"""Of two that fit, the one nearer to one of these is meant."""
MEAN_ALONE = (-160.0, -90.0)
"""What Caffe's and VGG's networks add to 0..255, which they do not divide."""
_TINY = 1e-6


class Scale(NamedTuple):
    """out = factor * value + offset for each element of a tensor that a picture changes."""

    factor: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def is_identity(self) -> bool:
        """Whether the values arrive as they are."""
        return bool(np.allclose(self.factor, 1, atol=1e-5) and np.allclose(self.offset, 0, atol=1e-4))

    def interval(self, low: float, high: float) -> tuple[float, float]:
        """What low..high becomes."""
        ends = np.stack([self.factor * low + self.offset, self.factor * high + self.offset])
        return float(ends.min()), float(ends.max())


def pixels_from(respond: Respond, shape: tuple[int, int, int]) -> Finding[Preprocess] | None:
    """What the model expects, by what it does to (height, width, channels) values; None if it changes nothing."""
    zero, one, middle, full = (respond(np.full((1, *shape), v, np.float32)) for v in (0, 1, 100, 255))
    found = [_of_one(*tensors) for tensors in zip(zero, one, middle, full, strict=True)]
    if any(scale is None for scale in found):
        return _standardised(respond, shape)
    scaled = [scale for scale in found if scale and not scale.is_identity]
    fits = [fit for scale in scaled if (fit := _fit(scale)) is not None]
    if not fits or len({name for name, _ in fits}) > 1:
        return None
    name, reason = fits[0]
    if len(fits) < len(found):
        return Finding(PREPROCESS[name], "assumption", f"{reason}, but not on every way to its weights")
    return Finding(PREPROCESS[name], "graph", reason)


def _of_one(*tensors: NDArray[Any]) -> Scale | None:
    """The scale of one tensor, from what it is for pictures of 0, 1, 100 and 255; None if it is no scale."""
    zero, one, middle, full = (np.asarray(tensor, np.float64).reshape(-1) for tensor in tensors)
    moved = np.abs(full - zero) > _TINY * max(1.0, float(np.abs(zero).max(initial=0)))
    if not moved.any():
        return None
    offset, factor = zero[moved], (full - zero)[moved] / 255
    room = 1e-3 * np.abs(full - zero)[moved].max()
    is_line = all(np.abs(factor * v + offset - t[moved]).max() <= room for v, t in ((1, one), (100, middle)))
    return Scale(factor, offset) if is_line else None


def _fit(scale: Scale) -> tuple[str, str] | None:
    """The name of the range that the scale is made for, and the reason; None if it is made for none of them."""
    reason = "the model itself turns {:g}..{:g} into {:.3g}..{:.3g}"
    if np.allclose(scale.factor, 1) and all(MEAN_ALONE[0] <= o <= MEAN_ALONE[1] for o in scale.offset):
        return "none", reason.format(*RANGES["none"], *scale.interval(*RANGES["none"]))
    intervals = {name: scale.interval(*ends) for name, ends in RANGES.items()}
    wide = {n: (low, high) for n, (low, high) in intervals.items() if LEAST_WIDTH <= high - low <= MOST_WIDTH}
    if not wide:
        return None
    name = min(wide, key=lambda n: min(abs(wide[n][0] - low) + abs(wide[n][1] - high) for low, high in USUAL))
    return name, reason.format(*RANGES[name], *wide[name])


def _standardised(respond: Respond, shape: tuple[int, int, int]) -> Finding[Preprocess] | None:
    """0..255 if the model's own first steps give the same for any scale of the values; else None."""
    noise = np.random.default_rng(0).uniform(0, 1, (1, *shape)).astype(np.float32)
    if _all_close(respond(noise), respond(noise * 255)):
        return Finding(PREPROCESS["none"], "graph", "the model itself standardises each picture")
    return None


def _all_close(some: Iterable[NDArray[Any]], others: Iterable[NDArray[Any]]) -> bool:
    return all(np.allclose(a, b, atol=1e-2) and np.any(a) for a, b in zip(some, others, strict=True))
