"""Layers that stay in float: those that the user names, the worst ones, or as few of the worst as make the form good.

A layer is worse the larger its own error is (`explain.layer_errors`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.errors import ConvertError
from convert.explain import LayerError
from convert.modes import KeepFloat
from convert.opening.tflite import Reference
from convert.quantize import Quantization

MOST_TRIES = 10
"""Forms that "auto" makes and compares at most: of 94 layers, 8 to find a number that is enough, and 2 to halve it."""


class Kept(NamedTuple):
    """A quantised form, some of whose layers are in float."""

    data: bytes
    """The .tflite file."""
    names: frozenset[str]
    """The layers in float that would else be quantised; see `Graph.name`."""


@dataclass(frozen=True)
class Closeness:
    """Whether a form is close enough to the float model."""

    agreement: float
    """Least share of the inputs on which both must name the same class."""
    difference: float
    """Largest difference of one score, 0..1."""
    scores: Callable[[NDArray[Any]], NDArray[Any]]
    """Raw output, float (outputs,), to scores in 0..1."""
    inputs: Sequence[NDArray[Any]]
    """Tensors, float32 (1, H, W, C)."""

    def of(self, float_model: bytes) -> Callable[[bytes], bool]:
        """A function that judges a .tflite file by this."""
        wanted = self._scores_of(float_model)

        def is_close(model: bytes) -> bool:
            got = self._scores_of(model)
            same = [_best(a) == _best(b) for a, b in zip(got, wanted, strict=True)]
            return float(np.mean(same)) >= self.agreement and float(np.abs(got - wanted).max()) <= self.difference

        return is_close

    def _scores_of(self, model: bytes) -> NDArray[Any]:
        run = Reference(model)
        return np.stack([self.scores(run(tensor)) for tensor in self.inputs])


def keep(quantization: Quantization, wish: KeepFloat, errors: list[LayerError], closeness: Closeness) -> Kept:
    """The form that the user wishes; `errors` are those of the whole form, worst first. Raises ConvertError."""
    if isinstance(wish, re.Pattern):
        return _form(quantization, _matching(errors, wish))
    if isinstance(wish, int):
        return _form(quantization, [one.name for one in errors[:wish]])
    return _fewest(quantization, [one.name for one in errors], closeness.of(quantization.float32))


def _matching(errors: list[LayerError], pattern: re.Pattern[str]) -> list[str]:
    names = [one.name for one in errors if pattern.search(one.name) or pattern.search(one.kind)]
    if not names:
        raise ConvertError(
            f"--keep-float {pattern.pattern!r} matches no layer that would be quantised: --explain shows their names"
        )
    return names


def _fewest(quantization: Quantization, worst: list[str], is_close: Callable[[bytes], bool]) -> Kept:
    """As few of the worst layers as suffice: their number is doubled until it does, then halved back."""
    too_few, count, most = -1, 0, len(worst) - 1  # one layer has to be quantised
    enough = None
    for _ in range(MOST_TRIES):
        form = _form(quantization, worst[:count])
        if is_close(form.data):
            enough = form
        elif count >= most:
            break
        else:
            too_few = count
        count = min(max(1, 2 * count), most) if enough is None else (too_few + len(enough.names)) // 2
        if count <= too_few:
            break
    if enough is not None:
        return enough
    raise ConvertError(
        f"cannot quantise to {quantization.mode}: even with the {max(0, most)} worst of {len(worst)} layers in float "
        "the model is not as close to its source as --min-agreement and --max-difference ask; give --quantize float16"
    )


def _form(quantization: Quantization, names: list[str]) -> Kept:
    kept = frozenset(names)
    return Kept(quantization.model(kept), kept)


def _best(scores: NDArray[Any]) -> int:
    return int(scores.argmax()) if len(scores) > 1 else int(scores[0] >= 0.5)
