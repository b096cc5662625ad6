"""`--sizes`: one bundle for each size of pictures, measured on the user's own, and the cheapest that is good enough."""

import hashlib
import platform
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chalicelib.config import MEMORY_MB_PER_VCPU
from chalicelib.inference.card import ModelCard
from chalicelib.inference.registry import MODEL_FILE
from chalicelib.pricing import cost_usd
from convert import bundle
from convert.errors import ConvertError, LowAgreementError
from convert.opening.networks import NETWORKS
from convert.opening.opened import opened
from convert.opening.resized import at_size, fitting
from convert.options import Options
from convert.pipeline import Converted, convert
from convert.screen import console
from convert.sources import Source
from convert.timing import ENOUGH_S, medians_ms
from convert.verify import AtOwnSize

MAX_ACCURACY_LOSS = 0.02
"""By which the recommended bundle's accuracy may be below that of the source at the size that it was made for."""
Size = tuple[int, int]


@dataclass(frozen=True)
class Measured:
    """One size of pictures."""

    size: Size
    """Width and height in px."""
    card: ModelCard
    notes: tuple[str, ...]
    agreement: float
    """Share of the pictures on which the bundle names the class that the source names at the size it was made for."""
    difference: float
    """Largest difference of one score between the two."""
    accuracy: float | None
    """Share of the pictures on which the bundle names the class of the picture's folder."""
    ms: float
    """Median of one inference on one thread; all sizes took turns."""
    is_good: bool
    """Whether the options and `MAX_ACCURACY_LOSS` allow it."""

    @property
    def name(self) -> str:
        """Width and height, as 235x235."""
        return _name(self.size)

    @property
    def usd_per_million(self) -> float:
        """Lambda's price of a million inferences, each with the fee of a request, on this machine's architecture."""
        return 1_000_000 * cost_usd(self.ms, MEMORY_MB_PER_VCPU, platform.machine())


@dataclass(frozen=True)
class Comparison:
    """Every size, the smallest first, and the cheapest of the good ones."""

    rows: tuple[Measured, ...]
    own: Size
    """The size that the source was made for."""
    best: Measured
    validation: Path


def compare(options: Options) -> Comparison:
    """Measure every size of `options.sizes` and the source's own; write the bundle of the cheapest good one.

    Raises ConvertError, and LowAgreementError if no size is good enough; then nothing is written.
    """
    with ExitStack() as stack:
        given = stack.enter_context(opened(options))
        options = options.or_else(given.defaults)
        if options.validation is None:
            raise ConvertError("--sizes compares the sizes on your own pictures: give --validation DIR")
        own = _remembering(given.own or given)
        sources = _of_sizes(own, options)
        aside = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rows = _measured(sources, options, aside)
        good = [row for row in rows if row.is_good]
        if not good:
            raise LowAgreementError(_none_is_good(rows, options))
        best = min(good, key=lambda row: row.ms)
        with bundle.staged(options.out, own.name) as folder:
            shutil.copytree(aside / best.name / own.name, folder, dirs_exist_ok=True)
            bundle.write_card(folder, best.card)
        return Comparison(tuple(rows), _size(own), best, options.validation)


def _name(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _size(source: Source) -> Size:
    return source.input_shape[1], source.input_shape[0]


def _sizes(own: Source, options: Options) -> list[Size]:
    return sorted({*options.sizes, _size(own)}, key=lambda size: (size[0] * size[1], size))


def _of_sizes(own: Source, options: Options) -> Iterator[Source]:
    """The source at each size, as `--input-size` opens it: Keras builds the networks that it has by name.

    Raises ConvertError for a size that does not fit, before the first one is made if the source is a file.
    """
    sizes, by_name = _sizes(own, options), options.source in NETWORKS
    for size in sizes if not by_name else ():
        fitting(own, size)
    return (_built(own, size, options) if by_name and size != _size(own) else at_size(own, size) for size in sizes)


def _built(own: Source, size: Size, options: Options) -> Source:
    with opened(replace(options, input_size=size)) as built:
        made_for = {"made_for": _name(_size(own))}
        return replace(built, own=own, origin={**built.origin, **made_for})


def _remembering(source: Source) -> Source:
    """The source, which answers each picture once: it is the reference of every size."""
    known: dict[bytes, NDArray[Any]] = {}

    def scores(tensor: NDArray[np.float32]) -> NDArray[Any]:
        key = hashlib.sha256(tensor.tobytes()).digest()
        if key not in known:
            known[key] = source.scores(tensor).copy()
        return known[key]

    return replace(source, scores=scores)


def _measured(sources: Iterable[Source], options: Options, aside: Path) -> list[Measured]:
    made: dict[str, tuple[Size, Converted]] = {}
    files: dict[str, bytes] = {}
    for source in sources:
        name = _name(_size(source))
        console.print(f"{name} px")
        made[name] = _size(source), convert(source, replace(options, out=aside / name), keep_any=True)
        files[name] = (aside / name / source.name / MODEL_FILE).read_bytes()
    ms = medians_ms(files, enough_s=ENOUGH_S * len(files))
    return [_row(size, converted, ms[name], options) for name, (size, converted) in made.items()]


def _row(size: Size, converted: Converted, ms: float, options: Options) -> Measured:
    measured, accuracy = converted.card.verification, converted.card.verification["accuracy"]
    figures = measured.get("own_size", measured)  # the source's own size is compared with itself
    own = AtOwnSize(_name(size), figures["top1_agreement"], figures["max_score_difference"], figures["source_accuracy"])
    card = converted.card._replace(verification={**measured, "latency_ms": ms}).checked()
    good = is_good(own, accuracy, converted.disagreement, options.min_agreement)
    return Measured(size, card, converted.notes, own.top1_agreement, own.max_score_difference, accuracy, ms, good)


def is_good(own: AtOwnSize, accuracy: float | None, disagreement: str | None, min_agreement: float) -> bool:
    """Whether a size may be recommended: `disagreement` is that with the source at the bundle's size, if any.

    `accuracy` is the bundle's, and compared with that of the source at its own size; None if no class is known.
    """
    is_right = accuracy is None or own.source_accuracy is None or accuracy >= own.source_accuracy - MAX_ACCURACY_LOSS
    return disagreement is None and own.top1_agreement >= min_agreement and is_right


def _none_is_good(rows: list[Measured], options: Options) -> str:
    highest = max(rows, key=lambda row: row.agreement)
    return (
        f"no size is good enough: the best, {highest.name}, names the class of the network's own size on "
        f"{highest.agreement:.1%} of the pictures, --min-agreement is {options.min_agreement:.0%}, and the accuracy "
        f"may be {MAX_ACCURACY_LOSS:.0%} lower: nothing was written. Try larger sizes, or another --quantize"
    )
