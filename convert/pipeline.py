"""The way of one model: source -> rewrite -> quantise -> bundle -> verify."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from rich.progress import track

from chalicelib.inference.card import InputSpec, ModelCard, OutputSpec
from convert import bundle, pictures, rewrite
from convert.errors import ConvertError
from convert.graph import Graph, Op
from convert.quantize import detect, quantize
from convert.screen import ShownList, console, working
from convert.sources import Source, input_spec, labelled
from convert.verify import verify

DEFAULT_MODE = "dynamic"
CALIBRATION_LIMIT = 300


class LowAgreementError(ConvertError):
    """The bundle disagrees with its source too often."""


def convert(source: Source, options: Namespace) -> ModelCard:
    """Write the bundle `options.out / source.name`, or raise ConvertError and leave what was there."""
    labels, offset = labelled(source, options.labels)
    spec = input_spec(source, options.preprocess, options.crop)
    validation = _spread_out(options.validation, "validation", options.validation_limit)
    model, mode, moved = _model(source, options, spec)
    card = bundle.make_card(source, model, mode, spec, _output_spec(Graph(model), len(labels), offset))
    card = _noted(card, moved)
    with bundle.staged(options.out, source.name) as folder:
        bundle.write(folder, model, labels, card)
        shown = track(validation, "Comparing with the source", console=console, disable=not validation)
        verification = verify(folder, source, shown, options.validation)
        _judge(verification.top1_agreement, options.min_agreement)
        return bundle.record(folder, card, verification)


def _model(source: Source, options: Namespace, spec: InputSpec) -> tuple[bytes, str, int]:
    """The model's bytes, how it is quantised, and how many convolutions moved."""
    graph = Graph(source.tflite)
    already = detect(graph)
    if already != "float32":
        if options.quantize not in (None, already):
            raise ConvertError(
                f"{source.name} is quantised already ({already}): leave --quantize out, or convert the float model"
            )
        return source.tflite, already, 0
    mode = options.quantize or DEFAULT_MODE
    if mode == "int8" and options.calibration is None:
        raise ConvertError(
            "--quantize int8 measures the ranges on real pictures: give --calibration DIR, a hundred are enough"
        )
    moved = 0
    if options.rewrite:
        moved = rewrite.pools_after_convolutions(graph)
        rewrite.softmax_left_to_serving(graph)
    rewrite.signature_added(graph)
    paths = _spread_out(options.calibration if mode == "int8" else None, "calibration", CALIBRATION_LIMIT)
    reading = track(pictures.tensors(paths, spec), "Reading pictures", len(paths), console=console, disable=not paths)
    tensors = ShownList(list(reading), "Calibrating")
    with working(None if paths else f"Quantising to {mode}"):
        return quantize(graph.serialize(), mode, tensors), mode, moved


def _spread_out(folder: Path | None, purpose: str, limit: int) -> list[Path]:
    return pictures.spread(pictures.find_pictures(folder, purpose), limit) if folder else []


def _output_spec(graph: Graph, classes: int, offset: int) -> OutputSpec:
    """Logits where the last operator is a plain layer; a softmax or a sigmoid gives probabilities."""
    is_probability = graph.kind(graph.last_operator()) in (Op.SOFTMAX, Op.LOGISTIC)
    return OutputSpec(classes, "probabilities" if is_probability else "logits", offset)


def _noted(card: ModelCard, moved: int) -> ModelCard:
    return replace(card, source={**card.source, "convolutions_moved_before_pools": moved})


def _judge(agreement: float | None, least: float) -> None:
    if agreement is not None and agreement < least:
        raise LowAgreementError(
            f"the bundle names the source's class on {agreement:.1%} of the pictures, under --min-agreement "
            f"{least:.0%}: nothing was written. Try --quantize dynamic or float16, or more --calibration pictures"
        )
