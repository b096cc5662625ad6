"""Compares a bundle with its source on pictures. The bundle is run by the served code."""

import os
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.inference.classifier import Classifier, rank
from chalicelib.inference.engine import find_engine
from chalicelib.inference.registry import load_bundle
from convert.contract.decide import Expected, OwnSize
from convert.errors import ConvertError
from convert.pictures import class_of, read_pixels

FLOAT_DIFFERENCE = 0.01
"""Of one score, between the source and its float32 form: what a change of kernels explains is a thousandth."""
MANY_PICTURES = 10
"""From so many on, one class for all of them is worth a note."""


@dataclass(frozen=True)
class AtOwnSize:
    """A bundle of another size, compared with its source at the size of pictures that the source was made for."""

    input: str
    """That size, "299x299": width and height in px."""
    top1_agreement: float
    max_score_difference: float
    source_accuracy: float | None


@dataclass(frozen=True)
class Verification:
    """What was measured. A figure is None if there were no pictures, or none of a known class, to measure it on."""

    pictures: int
    top1_agreement: float | None
    top5_agreement: float | None
    """Mean share of the source's five best classes that are among the bundle's five best."""
    max_score_difference: float | None
    """Largest difference of one score, 0..1, over all pictures and classes."""
    accuracy: float | None
    """Share of pictures on which the bundle names the class of the picture's folder."""
    source_accuracy: float | None
    """The same for the source."""
    float_difference: float
    """Largest difference of one score, 0..1, between the source and its float32 form, on pictures of any kind."""
    latency_ms: float
    """Median of one inference on one thread, on the machine of the conversion."""
    engine: str
    own_size: AtOwnSize | None = None
    """None if the bundle takes pictures of the size that its source was made for, or if there were no pictures."""

    def to_dict(self) -> dict[str, Any]:
        """The form in which the card holds it."""
        return {name: value for name, value in asdict(self).items() if name != "own_size" or value}


class Verified(NamedTuple):
    """What was measured, and what the user should know of it."""

    measured: Verification
    notes: tuple[str, ...]


def served(bundle: Path) -> Classifier:
    """The bundle in the served code, on all processors; raises ModelError."""
    return Classifier(load_bundle(bundle), find_engine("litert"), num_threads=os.cpu_count() or 1)


def float_difference(classifier: Classifier, expected: Expected, pictures: Iterable[NDArray[np.uint8]]) -> float:
    """The largest difference of a score between a source and its float32 form, on uint8 pixels (H, W, C).

    Raises ConvertError if it is larger than rounding explains: then the conversion changed the model.
    """
    worst = float(np.max([np.abs(classifier.scores(pixels) - expected(pixels)).max() for pixels in pictures]))
    if not worst <= FLOAT_DIFFERENCE:
        raise ConvertError(
            f"the float32 form of {classifier.card.name} differs from its source by {worst:.3f} of a score, more than "
            f"{FLOAT_DIFFERENCE}: nothing was written. Try --no-rewrite; a layer of it is not converted as it is"
        )
    return round(worst, 6)


def verify(
    classifier: Classifier,
    expected: Expected,
    pictures: Iterable[Path],
    folder: Path | None,
    *,
    difference: float,
    latency_ms: float,
    own: OwnSize | None = None,
) -> Verified:
    """Compare the bundle's scores with the source's on each picture.

    A picture's class is the name of its folder below `folder`. `difference` is that of the float32 form, and
    `latency_ms` was measured. `own` reads each picture from its file again, at the source's own size. Raises
    ConvertError or ModelError.
    """
    spec = classifier.card.input
    scores, wanted, truth, at_own = [], [], [], []
    for path in pictures:
        pixels = read_pixels(path, spec)
        scores.append(classifier.scores(pixels))
        wanted.append(expected(pixels))
        truth.append(class_of(path, folder, classifier.labels) if folder else None)
        if own:
            at_own.append(own.expected(read_pixels(path, own.input)))
    engine = f"{classifier.engine.name} {classifier.engine.version}"
    if not scores:
        none = Verification(0, None, None, None, None, None, difference, latency_ms, engine)
        return Verified(none, ())
    measured = Verification(
        pictures=len(scores),
        top1_agreement=_share(_best(a) == _best(b) for a, b in zip(scores, wanted, strict=True)),
        top5_agreement=_share(_overlap(a, b) for a, b in zip(scores, wanted, strict=True)),
        max_score_difference=_largest_difference(scores, wanted),
        accuracy=_accuracy(scores, truth),
        source_accuracy=_accuracy(wanted, truth),
        float_difference=difference,
        latency_ms=latency_ms,
        engine=engine,
        own_size=_at_own_size(own, scores, at_own, truth) if own else None,
    )
    return Verified(measured, tuple(_one_class(wanted, classifier.labels)))


def _at_own_size(
    own: OwnSize, scores: list[NDArray[Any]], at_own: list[NDArray[Any]], truth: list[int | None]
) -> AtOwnSize:
    return AtOwnSize(
        input=f"{own.input.width}x{own.input.height}",
        top1_agreement=_share(_best(a) == _best(b) for a, b in zip(scores, at_own, strict=True)),
        max_score_difference=_largest_difference(scores, at_own),
        source_accuracy=_accuracy(at_own, truth),
    )


def _largest_difference(scores: list[NDArray[Any]], wanted: list[NDArray[Any]]) -> float:
    return round(float(np.max(np.abs(np.subtract(scores, wanted)))), 4)


def _one_class(wanted: list[NDArray[Any]], labels: tuple[str, ...]) -> Iterator[str]:
    """A note if the source itself names one class for all of many pictures."""
    if len(wanted) >= MANY_PICTURES and len({_best(scores) for scores in wanted}) == 1:
        yield (
            f"the source names the same class, {labels[_best(wanted[0])]!r}, for all {len(wanted)} pictures: "
            "look at --preprocess first"
        )


def _best(scores: NDArray[Any]) -> int:
    """The best class; of a single label, whether its score is at least a half."""
    return int(scores.argmax()) if len(scores) > 1 else int(scores[0] >= 0.5)


def _overlap(a: NDArray[Any], b: NDArray[Any]) -> float:
    k = min(5, len(a))
    return len(set(rank(a, k)) & set(rank(b, k))) / k


def _accuracy(scores: list[NDArray[Any]], truth: list[int | None]) -> float | None:
    judged = [(s, t) for s, t in zip(scores, truth, strict=True) if t is not None]
    return _share(_best(s) == t for s, t in judged) if judged else None


def _share(values: Iterable[Any]) -> float:
    return round(statistics.fmean(float(value) for value in values), 4)
