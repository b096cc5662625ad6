"""One conversion: source -> contract -> rewrite -> quantise -> bundle -> verify."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from chalicelib.inference.card import InputSpec, ModelCard, OutputSpec, Scores
from convert import bundle, pictures, rewrite
from convert.contract.decide import Contract, Expected, decide
from convert.contract.probes import probes
from convert.errors import ConvertError, LowAgreementError
from convert.graph import Graph
from convert.labels import Labels, labelled
from convert.modes import MODES, Found
from convert.options import Options
from convert.quantize import detect, quantize
from convert.screen import ShownList, console, working
from convert.sources import Source
from convert.verify import Verification, float_difference, served, verify

CALIBRATION_LIMIT = 300


@dataclass(frozen=True)
class Converted:
    """A bundle that was written."""

    card: ModelCard
    notes: tuple[str, ...]
    """What the user should know: what was assumed, and what is missing."""


@dataclass(frozen=True)
class _Float:
    """The float graph, or the one that is quantised already, as it goes on."""

    graph: Graph
    quantization: Found
    moved: int
    """Number of convolutions that were moved before a pool."""
    scores: Scores
    """What the output means, now that a final softmax or sigmoid may be gone."""


def convert(source: Source, options: Options) -> Converted:
    """Write the bundle `options.out / source.name`; raises ConvertError, and then keeps the bundle that was there."""
    options = options.or_else(source.defaults)
    labels, notes = labelled(source.labels, source.outputs, options.labels, options.validation)
    validation = _spread_out(options.validation, "validation", options.validation_limit)
    graph = Graph(source.tflite)
    already = detect(graph)
    if already != "float32" and options.quantize not in (None, already):
        raise ConvertError(
            f"{source.name} is quantised already ({already}): leave --quantize out, or convert the float model"
        )
    contract = decide(source, graph, options, labels, validation)
    form = _rewritten(graph, already, contract, options)
    expected = Expected(source, contract.input, contract.scores.value, labels)
    difference = _float_difference(source, form, contract, labels, expected, validation)
    mode, data = _quantized(form, source, options, contract.input)
    card = _card(source, data, mode, form, contract, labels)
    with bundle.staged(options.out, source.name) as folder:
        bundle.write(folder, data, labels.names, card)
        shown = track(validation, "Comparing with the source", console=console, disable=not validation)
        found = verify(served(folder), expected, shown, options.validation, difference)
        _judge(found.measured, options, mode)
        card = bundle.record(folder, card, found.measured)
        return Converted(card, source.notes + notes + contract.notes + found.notes)


def _rewritten(graph: Graph, already: Found, contract: Contract, options: Options) -> _Float:
    scores, moved = contract.scores.value, 0
    if already == "float32":
        if options.rewrite:
            moved = rewrite.move_convolutions_before_pools(graph)
            if scores == "probabilities":
                scores = rewrite.without_final_activation(graph)
        rewrite.add_signature(graph)
    return _Float(graph, already, moved, scores)


def _float_difference(
    source: Source, form: _Float, contract: Contract, labels: Labels, expected: Expected, validation: list[Path]
) -> float:
    """How far the form that is quantised next is from its source; raises ConvertError if that is far."""
    data = form.graph.serialize() if form.quantization == "float32" else source.tflite
    card = _card(source, data, form.quantization, form, contract, labels)
    with tempfile.TemporaryDirectory() as folder, working("Comparing the float32 form with the source"):
        bundle.write(Path(folder), data, labels.names, card)
        return float_difference(served(Path(folder)), expected, probes(contract.input, validation))


def _quantized(form: _Float, source: Source, options: Options, spec: InputSpec) -> tuple[Found, bytes]:
    """The quantisation of the bundle, and its .tflite file."""
    if form.quantization != "float32":
        return form.quantization, source.tflite
    mode = options.mode
    if mode == "int8" and options.calibration is None:
        raise ConvertError(
            "--quantize int8 measures the ranges on real pictures: give --calibration DIR, a hundred are enough"
        )
    paths = _spread_out(options.calibration if mode == "int8" else None, "calibration", CALIBRATION_LIMIT)
    reading = track(pictures.tensors(paths, spec), "Reading pictures", len(paths), console=console, disable=not paths)
    tensors = ShownList(list(reading), "Calibrating")
    with working(None if paths else f"Quantising to {mode}"):
        return mode, quantize(form.graph, mode, tensors)


def _card(
    source: Source, data: bytes, quantization: Found, form: _Float, contract: Contract, labels: Labels
) -> ModelCard:
    output = OutputSpec(len(labels.names), form.scores, labels.offset, labels.binary)
    return bundle.make_card(source, data, quantization, form.moved, contract, output)


def _spread_out(folder: Path | None, purpose: str, limit: int) -> list[Path]:
    return pictures.spread(pictures.find_pictures(folder, purpose), limit) if folder else []


def _judge(measured: Verification, options: Options, mode: Found) -> None:
    """Raise LowAgreementError if bundle and source differ more than the options allow."""
    agreement, difference = measured.top1_agreement, measured.max_score_difference
    if agreement is not None and agreement < options.min_agreement:
        raise LowAgreementError(
            f"bundle and source name the same class on {agreement:.1%} of the pictures, and --min-agreement is "
            f"{options.min_agreement:.0%}: nothing was written. {_advice(mode)}"
        )
    if difference is not None and difference > options.max_difference:
        raise LowAgreementError(
            f"a score of bundle and source differs by {difference:.2f}, and --max-difference is "
            f"{options.max_difference:.2f}: nothing was written. {_advice(mode)}"
        )


def _advice(mode: Found) -> str:
    """What to do if a bundle of this mode is too far from its source; it never names the mode itself."""
    finer = [one for one in MODES[: MODES.index(mode)] if mode in MODES] if mode in MODES else []
    more = "Give more --calibration pictures, like those that the model will get. " if mode == "int8" else ""
    if not finer:
        return "Look at the model's own scores first"
    return f"{more}Try --quantize {' or '.join(reversed(finer))}"
