"""The contract of a model: what pixels it is given and what its output means. Value and reason go onto the card."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.errors import ModelError
from chalicelib.inference.card import InputSpec, OutputSpec, Scores
from chalicelib.inference.classifier import scores_of
from chalicelib.inference.preprocessing import InputEncoder
from convert.contract.candidates import pixels_by_trying
from convert.contract.findings import PREPROCESS, Finding, Preprocess
from convert.contract.probes import probes
from convert.contract.scores import scores_from
from convert.errors import ConvertError
from convert.graph import Graph
from convert.labels import Labels
from convert.options import Options
from convert.pictures import class_of
from convert.sources import IMAGENET_CROP, IMAGENET_OUTPUTS, Source

_ASSUMED = Finding(PREPROCESS["tf"], "assumption", "the model does not show how it was trained")
_ASSUMED_NOTE = (
    "assumed --preprocess {name} ({value}): {reason}; give --preprocess if it was trained otherwise, "
    "or --validation pictures in folders named after the labels"
)


class Contract(NamedTuple):
    """What conversion and serving agree on."""

    input: InputSpec
    scores: Finding[Scores]
    card: dict[str, Any]
    """What the card says of it."""
    notes: tuple[str, ...]
    expected: "Expected"
    """The scores that the source itself gives."""
    probes: list[NDArray[np.uint8]]
    """Pictures of any kind, uint8 (height, width, channels), on which `expected` answers only once."""
    own: "OwnSize | None" = None
    """What the source answers at the size that it was made for, if the bundle has another."""


class OwnSize(NamedTuple):
    """The source at the size of pictures that it was made for."""

    input: InputSpec
    expected: "Expected"


class Expected:
    """The scores that the source itself gives to a picture, by its contract."""

    def __init__(self, answers: "_Answers", output: OutputSpec) -> None:
        """`output` is what the source's own output means, whatever the bundle's graph has left of it."""
        self._answers, self._output = answers, output

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """uint8 (height, width, channels) to one score for each label, float64 (classes,), each in 0..1."""
        return scores_of(self._answers.to(pixels), self._output)


class _Answers:
    """The source's own output for pictures. Those for the probes are kept: several checks ask for them."""

    def __init__(self, source: Source, spec: InputSpec, pictures: list[Path]) -> None:
        self._source, self._encoder = source, InputEncoder(spec, np.dtype(np.float32))
        self.probes = probes(spec, pictures)
        self._kept: dict[bytes, NDArray[np.float64] | None] = {probe.tobytes(): None for probe in self.probes}

    def to(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """The output, float64 (outputs,), for one of the probes or another picture."""
        name = pixels.tobytes()
        if (kept := self._kept.get(name)) is not None:
            return kept
        output = self._run(pixels)
        if name in self._kept:
            self._kept[name] = output
        return output

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        return np.asarray(self._source.scores(self._encoder.encode(pixels)), np.float64).reshape(-1)


def decide(source: Source, graph: Graph, options: Options, labels: Labels, pictures: list[Path]) -> Contract:
    """The contract of a source, whose float graph is `graph`; `pictures` are those of --validation.

    For each of its parts the user's choice comes first, then what the model or its publisher shows, then what labelled
    pictures show, then the usual. Raises ConvertError.
    """
    original = source.own or source  # at every size the contract is the same
    pixels, notes = _pixels(original, graph, options, labels, pictures)
    spec = input_spec(original, options, pixels.value)
    answers = _Answers(original, spec, pictures)
    scores = _scores(source.name, graph, options, labels, answers)
    if scores.kind == "assumption":
        notes += (f"assumed --scores {scores.value}: {scores.reason}",)
    card = {"pixels": pixels.on_card(str(pixels.value)), "scores": scores.on_card(scores.value)}
    if options.resize:
        card["resize"] = Finding(options.resize, "option", "--resize").on_card(options.resize)
    expected = Expected(answers, labels.output(scores.value))
    if original is source:
        return Contract(spec, scores, card, notes, expected, answers.probes)
    own = OwnSize(spec, expected)
    spec = input_spec(source, options, pixels.value)
    answers = _Answers(source, spec, pictures)
    expected = Expected(answers, labels.output(scores.value))
    return Contract(spec, scores, card, notes, expected, answers.probes, own)


def input_spec(source: Source, options: Options, preprocess: Preprocess) -> InputSpec:
    """The card's input; raises ConvertError."""
    height, width, channels = source.input_shape
    usual = IMAGENET_CROP if source.outputs in IMAGENET_OUTPUTS else 1.0
    crop = next(share for share in (options.crop, source.crop, usual) if share is not None)
    chosen = _fitted(preprocess, channels)
    try:
        spec = InputSpec(width, height, chosen.color, crop, chosen.mean, chosen.std)
        return (spec._replace(resize=options.resize) if options.resize else spec).checked()
    except ModelError as error:
        raise ConvertError(str(error)) from error


def _pixels(
    source: Source, graph: Graph, options: Options, labels: Labels, pictures: list[Path]
) -> tuple[Finding[Preprocess], tuple[str, ...]]:
    chosen, own = _chosen(options), source.pixels
    if chosen:
        if own and own.kind != "assumption" and own.value != chosen.value:
            return chosen, (f"{chosen.reason} was taken, but {own.reason}: {own.value} would fit that",)
        return chosen, ()
    if own and own.kind != "assumption":
        return own, ()
    labelled = _labelled(pictures, options.validation, labels.names)
    specs = {name: input_spec(source, options, one) for name, one in _of_channels(source.input_shape[2]).items()}
    found, about = None, ""
    if labelled:
        answers = _Answers(source, specs["tf"], pictures)
        output = labels.output(_scores(source.name, graph, options, labels, answers).value)
        found, about = pixels_by_trying(
            lambda tensor: scores_of(np.asarray(source.scores(tensor), np.float64), output), specs, labelled
        )
    if found:
        name = next(name for name, one in PREPROCESS.items() if one == found.value)
        return found, (f"--preprocess {name} was chosen: {about}",)
    assumed = own or _ASSUMED
    name = next((name for name, one in PREPROCESS.items() if one == assumed.value), "none")
    note = _ASSUMED_NOTE.format(name=name, value=assumed.value, reason=assumed.reason)
    return assumed, (f"{note} ({about})" if about else note,)


def _chosen(options: Options) -> Finding[Preprocess] | None:
    """What the options say; raises ConvertError if they contradict each other."""
    if options.mean is None and options.std is None:
        name = options.preprocess
        return Finding(PREPROCESS[name], "option", f"--preprocess {name}") if name else None
    if options.preprocess:
        raise ConvertError(f"--preprocess {options.preprocess} has its own mean and deviation: leave out --mean, --std")
    mean, std = options.mean or (0.0,), options.std or (1.0,)
    size = max(len(mean), len(std))
    preprocess = Preprocess("RGB", _repeated(mean, max(size, 3)), _repeated(std, max(size, 3)))
    return Finding(preprocess, "option", "--mean and --std")


def _repeated(values: tuple[float, ...], size: int) -> tuple[float, ...]:
    return values * size if len(values) == 1 else values


def _scores(name: str, graph: Graph, options: Options, labels: Labels, answers: _Answers) -> Finding[Scores]:
    if options.scores:
        if labels.binary and options.scores == "logits":
            raise ConvertError("--scores logits: the model has one output; choose sigmoid or probabilities")
        return Finding(options.scores, "option", f"--scores {options.scores}")
    seen = [answers.to(pixels) for pixels in answers.probes]
    if not np.isfinite(np.stack(seen)).all():
        raise ConvertError(
            f"{name} answers with values that are not numbers (NaN or infinity): train it again, or look at the weights"
        )
    return scores_from(graph, seen)


def _labelled(pictures: list[Path], folder: Path | None, names: tuple[str, ...]) -> list[tuple[Path, int]]:
    """The pictures whose folder names a label, each with its class."""
    if folder is None:
        return []
    pairs = [(path, class_of(path, folder, names)) for path in pictures]
    return [(path, truth) for path, truth in pairs if truth is not None]


def _of_channels(channels: int) -> dict[str, Preprocess]:
    return PREPROCESS if channels == 3 else {name: PREPROCESS[name] for name in ("tf", "unit", "none")}


def _fitted(preprocess: Preprocess, channels: int) -> Preprocess:
    """The preprocessing with one value for each channel; a grey model takes the values of the first channel."""
    if channels == 1:
        return Preprocess("L", preprocess.mean[:1], preprocess.std[:1])
    if channels != 3:
        raise ConvertError(
            f"the model's input has {channels} channels: only 1 (grey) and 3 (colour) are served, channels last"
        )
    if len(preprocess.mean) == 1:
        return Preprocess(preprocess.color, preprocess.mean * 3, preprocess.std * 3)
    return preprocess
