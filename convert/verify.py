"""Compares a bundle with its source on pictures. The bundle is run by the served code."""

import statistics
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chalicelib.inference.classifier import Classifier, rank, softmax
from chalicelib.inference.engine import find_engine
from chalicelib.inference.preprocessing import InputEncoder
from chalicelib.inference.registry import load_bundle
from convert.pictures import class_of, read_pixels
from convert.sources import Source

LATENCY_REPEATS = 15


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
    latency_ms: float
    """Median of one inference on one thread, on the machine of the conversion."""
    engine: str

    def to_dict(self) -> dict[str, Any]:
        """The form in which the card holds it."""
        return asdict(self)


def verify(bundle: Path, source: Source, pictures: Iterable[Path], folder: Path | None) -> Verification:
    """Compare the bundle's scores with the source's on each picture.

    A picture's class is the name of its folder below `folder`. Raises ConvertError or ModelError.
    """
    classifier = Classifier(load_bundle(bundle), find_engine("litert"), num_threads=1)
    spec, offset = classifier.card.input, classifier.card.output.label_offset
    encoder = InputEncoder(spec, np.dtype(np.float32))
    served, wanted, truth = [], [], []
    for path in pictures:
        pixels = read_pixels(path, spec)
        served.append(classifier.scores(pixels))
        wanted.append(_probabilities(source.scores(encoder.encode(pixels)))[offset:])
        truth.append(class_of(path, folder, classifier.labels) if folder else None)
    engine = f"{classifier.engine.name} {classifier.engine.version}"
    if not served:
        return Verification(0, None, None, None, None, None, _latency_ms(classifier), engine)
    return Verification(
        pictures=len(served),
        top1_agreement=_share(a.argmax() == b.argmax() for a, b in zip(served, wanted, strict=True)),
        top5_agreement=_share(_overlap(a, b) for a, b in zip(served, wanted, strict=True)),
        max_score_difference=round(float(max(np.abs(a - b).max() for a, b in zip(served, wanted, strict=True))), 4),
        accuracy=_accuracy(served, truth),
        source_accuracy=_accuracy(wanted, truth),
        latency_ms=_latency_ms(classifier),
        engine=engine,
    )


def _probabilities(output: NDArray[Any]) -> NDArray[np.float64]:
    """The source's raw output (outputs,) as probabilities; values outside 0..1 are taken for logits."""
    values = output.astype(np.float64)
    is_distribution = values.min() >= 0 and values.max() <= 1.001
    return values if is_distribution else softmax(values)


def _overlap(a: NDArray[Any], b: NDArray[Any]) -> float:
    k = min(5, len(a))
    return len(set(rank(a, k)) & set(rank(b, k))) / k


def _accuracy(scores: list[NDArray[Any]], truth: list[int | None]) -> float | None:
    judged = [(s, t) for s, t in zip(scores, truth, strict=True) if t is not None]
    return _share(s.argmax() == t for s, t in judged) if judged else None


def _share(values: Iterable[Any]) -> float:
    return round(statistics.fmean(float(value) for value in values), 4)


def _latency_ms(classifier: Classifier) -> float:
    durations = []
    for _ in range(LATENCY_REPEATS):
        began = time.perf_counter()
        classifier.warm()
        durations.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(durations), 2)
