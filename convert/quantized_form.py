"""The form of a float graph that becomes the bundle: which layers stay in float, and what that costs."""

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from convert.errors import ConvertError, NothingQuantizedError
from convert.explain import LayerError, layer_errors
from convert.graph import Graph
from convert.keep_float import Closeness, Kept, keep
from convert.modes import Found, KeepFloat
from convert.options import Options
from convert.quantize import Quantization
from convert.screen import working
from convert.timing import EIGHT_BITS, medians_ms, not_paying

JUDGED = 50
"""Pictures on which `--keep-float auto` compares each form, at most."""
EXPLAINED = 8
"""Pictures on which each layer's own error is measured, at most."""


class Made(NamedTuple):
    """A model to be served."""

    mode: Found
    data: bytes
    """The .tflite file."""
    notes: tuple[str, ...] = ()
    layers: tuple[LayerError, ...] = ()
    """What `--explain` shows: every operator that the mode quantises, worst first."""
    latency_ms: float | None = None
    """Median of one inference on one thread, if it was timed against float32."""


class Judge(NamedTuple):
    """What forms are compared on."""

    inputs: Callable[[int], list[NDArray[Any]]]
    """At most so many input tensors, float32 (1, H, W, C): of validation, else calibration, else made ones."""
    scores: Callable[[NDArray[Any]], NDArray[Any]]
    """The graph's raw output, float (outputs,), to scores in 0..1."""


def make(graph: Graph, options: Options, calibration: Iterable[NDArray[Any]], judge: Judge) -> Made:
    """The form that the options ask for; raises ConvertError. See `Quantization` for `calibration`.

    A network that cannot be quantised stays float32 if the user chose no mode.
    """
    quantization = Quantization(graph, options.mode, calibration)
    if options.mode == "float32":
        refuse_wishes(options, "--quantize float32 keeps every layer in float")
        return Made("float32", quantization.float32)
    try:
        with working(None if options.mode == "int8" else f"Quantising to {options.mode}"):  # int8 shows its pictures
            whole = quantization.model()
    except NothingQuantizedError as error:
        if options.quantize or options.keep_float:
            raise
        return Made("float32", quantization.float32, (f"{str(error).partition(';')[0]}: it stays float32",))
    errors, kept = _wished(quantization, whole, options, judge)
    shown = tuple(errors) if options.explain else ()
    if options.mode not in EIGHT_BITS and not kept.names:
        return Made(options.mode, kept.data, layers=shown)
    forms = {"float32": quantization.float32, "bundle": kept.data, **({"whole": whole} if kept.names else {})}
    with working("Timing it against float32"):
        ms = medians_ms(forms)
    return Made(options.mode, kept.data, _costs(ms, whole, kept, options, len(errors)), shown, ms["bundle"])


def refuse_wishes(options: Options, why: str) -> None:
    """Raise ConvertError if the user asks for something about layers in 8 bits where there are none."""
    if options.keep_float is not None or options.explain:
        raise ConvertError(f"{why}: leave out --keep-float and --explain, or convert a float model to 8 bits")


def _wished(quantization: Quantization, whole: bytes, options: Options, judge: Judge) -> tuple[list[LayerError], Kept]:
    if options.keep_float is None and not options.explain:
        return [], Kept(whole, frozenset())
    with working("Measuring the error of each layer"):
        errors = layer_errors(quantization.float32, whole, judge.inputs(EXPLAINED))
    if options.keep_float is None:
        return errors, Kept(whole, frozenset())
    inputs = judge.inputs(JUDGED) if options.keep_float == "auto" else []
    closeness = Closeness(options.min_agreement, options.max_difference, judge.scores, inputs)
    with working("Choosing the layers that stay in float"):
        return errors, keep(quantization, options.keep_float, errors, closeness)


def _costs(ms: dict[str, float], whole: bytes, kept: Kept, options: Options, layers: int) -> tuple[str, ...]:
    """Notes on time, for 8 bits, and on what layers in float cost; `ms` is one inference of each form."""
    notes = []
    if options.keep_float is not None and not kept.names:
        notes.append("no layer has to stay in float (--keep-float auto): it is close to its source without")
    if kept.names:
        notes.append(
            f"{len(kept.names)} of {layers} layers stay in float (--keep-float {_text(options.keep_float)}): "
            f"{len(kept.data) / 1e6:.2f} MB instead of {len(whole) / 1e6:.2f}, "
            f"and one inference {ms['bundle']} ms instead of {ms['whole']}"
        )
    note = not_paying(options.mode, ms["bundle"], ms["float32"])
    return (*notes, note) if note else tuple(notes)


def _text(wish: KeepFloat | None) -> str:
    return wish.pattern if isinstance(wish, re.Pattern) else str(wish)
