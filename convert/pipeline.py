"""One conversion: source -> contract -> rewrite -> quantise -> bundle -> verify."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from chalicelib.inference.card import InputSpec, ModelCard, Scores
from chalicelib.inference.classifier import scores_of
from chalicelib.inference.preprocessing import InputEncoder
from convert import bundle, pictures, rewrite
from convert.contract.decide import Contract, decide
from convert.contract.probes import probes
from convert.errors import ConvertError, LowAgreementError
from convert.explain import LayerError
from convert.graph import Graph
from convert.labels import Labels, labelled
from convert.modes import MODES, Found
from convert.options import Options
from convert.quantize import detect
from convert.quantized_form import Judge, Made, make, refuse_wishes
from convert.screen import ShownList, console, working
from convert.sources import Source
from convert.timing import medians_ms
from convert.verify import Verification, float_difference, served, verify

CALIBRATION_LIMIT = 300


@dataclass(frozen=True)
class Converted:
    """A bundle that was written."""

    card: ModelCard
    notes: tuple[str, ...]
    """What the user should know: what was assumed, and what is missing."""
    layers: tuple[LayerError, ...] = ()
    """For `--explain`."""
    disagreement: str | None = None
    """Why the options refuse the bundle, if it was to be written all the same."""


@dataclass(frozen=True)
class _Float:
    """The float graph, or the one that is quantised already, as it goes on."""

    graph: Graph
    quantization: Found
    changes: dict[str, int]
    """Number of convolutions that were changed, by how; see `rewrite.make_faster`."""
    scores: Scores
    """What the output means, now that a final softmax or sigmoid may be gone."""


def convert(source: Source, options: Options, keep_any: bool = False) -> Converted:
    """Write the bundle `options.out / source.name`; raises ConvertError, and then keeps the bundle that was there.

    With `keep_any` a bundle that disagrees with its source is written, too, and `disagreement` says so.
    """
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
    difference = _float_difference(source, form, contract, labels)
    made = _quantized(form, source, options, contract.input, _judge_of(form, options, contract, labels, validation))
    card = _card(source, made.data, made.mode, form, contract, labels)
    with bundle.staged(options.out, source.name) as folder:
        bundle.write(folder, made.data, labels.names, card)
        shown = track(validation, "Comparing with the source", console=console, disable=not validation)
        with working(None if made.latency_ms else "Timing it"):
            latency_ms = made.latency_ms or medians_ms({made.mode: made.data})[made.mode]
        found = verify(
            served(folder),
            contract.expected,
            shown,
            options.validation,
            difference=difference,
            latency_ms=latency_ms,
            own=contract.own,
        )
        disagreement = _disagreement(found.measured, options, made.mode)
        if disagreement and not keep_any:
            raise LowAgreementError(disagreement)
        card = bundle.record(folder, card, found.measured)
        said = source.notes + notes + contract.notes + made.notes + found.notes
        return Converted(card, said, made.layers, disagreement)


def _rewritten(graph: Graph, already: Found, contract: Contract, options: Options) -> _Float:
    scores, changes = contract.scores.value, rewrite.UNCHANGED
    if already == "float32":
        if options.rewrite:
            changes = rewrite.make_faster(graph, options.mode)
            if scores == "probabilities":
                scores = rewrite.without_final_activation(graph)
        rewrite.add_signature(graph)
    return _Float(graph, already, changes, scores)


def _float_difference(source: Source, form: _Float, contract: Contract, labels: Labels) -> float:
    """How far the form that is quantised next is from its source; raises ConvertError if that is far."""
    data = form.graph.serialize() if form.quantization == "float32" else source.tflite
    card = _card(source, data, form.quantization, form, contract, labels)
    with tempfile.TemporaryDirectory() as aside, working("Comparing the float32 form with the source"):
        folder = Path(aside) / source.name  # a bundle is called as its folder is
        folder.mkdir()
        bundle.write(folder, data, labels.names, card)
        return float_difference(served(folder), contract.expected, contract.probes)


def _quantized(form: _Float, source: Source, options: Options, spec: InputSpec, judge: Judge) -> Made:
    """The bundle's .tflite file, and how it is quantised."""
    if form.quantization != "float32":
        refuse_wishes(options, f"{source.name} is quantised already ({form.quantization})")
        return Made(form.quantization, source.tflite)
    mode = options.mode
    if mode == "int8" and options.calibration is None:
        raise ConvertError(
            "--quantize int8 measures the ranges on real pictures: give --calibration DIR, a hundred are enough"
        )
    paths = _spread_out(options.calibration if mode == "int8" else None, "calibration", CALIBRATION_LIMIT)
    reading = track(pictures.tensors(paths, spec), "Reading pictures", len(paths), console=console, disable=not paths)
    return make(form.graph, options, ShownList(list(reading), "Calibrating"), judge)


def _judge_of(form: _Float, options: Options, contract: Contract, labels: Labels, validation: list[Path]) -> Judge:
    def inputs(limit: int) -> list[NDArray[Any]]:
        paths = validation or _spread_out(options.calibration, "calibration", limit)
        encoder = InputEncoder(contract.input, np.dtype(np.float32))
        given = list(pictures.tensors(pictures.spread(paths, limit), contract.input))
        return given or [encoder.encode(pixels) for pixels in probes(contract.input, [])]

    output = labels.output(form.scores)
    return Judge(inputs, lambda raw: scores_of(np.asarray(raw, np.float64).reshape(-1), output))


def _card(
    source: Source, data: bytes, quantization: Found, form: _Float, contract: Contract, labels: Labels
) -> ModelCard:
    return bundle.make_card(source, data, quantization, form.changes, contract, labels.output(form.scores))


def _spread_out(folder: Path | None, purpose: str, limit: int) -> list[Path]:
    return pictures.spread(pictures.find_pictures(folder, purpose), limit) if folder else []


def _disagreement(measured: Verification, options: Options, mode: Found) -> str | None:
    """What to say if bundle and source differ more than the options allow."""
    agreement, difference = measured.top1_agreement, measured.max_score_difference
    if agreement is not None and agreement < options.min_agreement:
        return (
            f"bundle and source name the same class on {agreement:.1%} of the pictures, and --min-agreement is "
            f"{options.min_agreement:.0%}: nothing was written. {_advice(mode)}"
        )
    if difference is not None and not difference <= options.max_difference:
        return (
            f"a score of bundle and source differs by {difference:.2f}, and --max-difference is "
            f"{options.max_difference:.2f}: nothing was written. {_advice(mode)}"
        )
    return None


def _advice(mode: Found) -> str:
    """What to do if a bundle of this mode is too far from its source; it never names the mode itself."""
    if mode not in MODES or mode == "float32":
        return "Look at the model's own scores first"
    if mode == "float16":
        return "Try --quantize float32"
    finer = "dynamic or float16" if mode == "int8" else "float16"
    more = "Give more --calibration pictures, like those that the model will get. " if mode == "int8" else ""
    return f"{more}Try --keep-float auto, or --quantize {finer}"
