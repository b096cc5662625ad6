"""One conversion: source -> rewrite -> quantise -> bundle -> verify."""

from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from chalicelib.inference.card import InputSpec, ModelCard, OutputSpec
from convert import bundle, pictures, rewrite
from convert.errors import ConvertError, LowAgreementError
from convert.graph import Graph, Op
from convert.labels import labelled
from convert.modes import Found
from convert.options import Options
from convert.quantize import detect, quantize
from convert.screen import ShownList, console, working
from convert.sources import Source, input_spec
from convert.verify import verify

CALIBRATION_LIMIT = 300


@dataclass(frozen=True)
class Converted:
    """A bundle that was written."""

    card: ModelCard
    notes: tuple[str, ...]
    """What the user should know: what was assumed, and what is missing."""


@dataclass(frozen=True)
class _Model:
    data: bytes
    quantization: Found
    moved: int
    """Number of convolutions that were moved before a pool."""
    is_probability: bool
    """Whether the output is probabilities: the last operator is a softmax or a sigmoid."""


def convert(source: Source, options: Options) -> Converted:
    """Write the bundle `options.out / source.name`; raises ConvertError, and then keeps the bundle that was there."""
    options = options.or_else(source.defaults)
    (labels, offset, _), notes = labelled(source.labels, source.outputs, options.labels, options.validation)
    spec, more_notes = input_spec(source, options.preprocess, options.crop)
    validation = _spread_out(options.validation, "validation", options.validation_limit)
    model = _model(source, options, spec)
    output = OutputSpec(len(labels), "probabilities" if model.is_probability else "logits", offset)
    card = bundle.make_card(source, model.data, model.quantization, model.moved, spec, output)
    with bundle.staged(options.out, source.name) as folder:
        bundle.write(folder, model.data, labels, card)
        shown = track(validation, "Comparing with the source", console=console, disable=not validation)
        verification = verify(folder, source, shown, options.validation)
        _judge(verification.top1_agreement, options.min_agreement)
        return Converted(bundle.record(folder, card, verification), notes + more_notes)


def _model(source: Source, options: Options, spec: InputSpec) -> _Model:
    graph = Graph(source.tflite)
    already = detect(graph)
    if already == "float32":
        return _quantized(graph, options, spec)
    if options.quantize not in (None, already):
        raise ConvertError(
            f"{source.name} is quantised already ({already}): leave --quantize out, or convert the float model"
        )
    return _Model(source.tflite, already, 0, _is_probability(graph))


def _quantized(graph: Graph, options: Options, spec: InputSpec) -> _Model:
    mode = options.mode
    if mode == "int8" and options.calibration is None:
        raise ConvertError(
            "--quantize int8 measures the ranges on real pictures: give --calibration DIR, a hundred are enough"
        )
    moved = 0
    if options.rewrite:
        moved = rewrite.move_convolutions_before_pools(graph)
        rewrite.drop_final_softmax(graph)
    rewrite.add_signature(graph)
    paths = _spread_out(options.calibration if mode == "int8" else None, "calibration", CALIBRATION_LIMIT)
    reading = track(pictures.tensors(paths, spec), "Reading pictures", len(paths), console=console, disable=not paths)
    tensors = ShownList(list(reading), "Calibrating")
    with working(None if paths else f"Quantising to {mode}"):
        return _Model(quantize(graph, mode, tensors), mode, moved, _is_probability(graph))


def _is_probability(graph: Graph) -> bool:
    return graph.kind(graph.last_operator()) in (Op.SOFTMAX, Op.LOGISTIC)


def _spread_out(folder: Path | None, purpose: str, limit: int) -> list[Path]:
    return pictures.spread(pictures.find_pictures(folder, purpose), limit) if folder else []


def _judge(agreement: float | None, least: float) -> None:
    if agreement is not None and agreement < least:
        raise LowAgreementError(
            f"bundle and source name the same class on {agreement:.1%} of the pictures, and --min-agreement is "
            f"{least:.0%}: nothing was written. Try --quantize dynamic or float16, or more --calibration pictures"
        )
