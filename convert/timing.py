"""One inference of several forms of a model, timed in turns on one thread; and what to say if 8 bits do not pay."""

import platform
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from chalicelib.inference.engine import processor_features
from convert.errors import ConvertError
from convert.modes import Found

REPEATS = 25
ENOUGH_S = 2.0
"""Seconds after which no further turn begins: a large network is measured well by fewer."""
LEAST_REPEATS = 5
PAYS = 0.97
"""Of float32's time: a form that is faster than this is worth its rounding."""
EIGHT_BITS = ("dynamic", "int8")


def medians_ms(models: dict[str, bytes], enough_s: float = ENOUGH_S) -> dict[str, float]:
    """The median of one inference of each .tflite file, in ms, on one thread.

    The models take turns, so that what else the machine does falls on all of them. No turn begins after `enough_s`.
    """
    interpreters = {name: _warm(data) for name, data in models.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    until = time.perf_counter() + enough_s
    for turn in range(REPEATS):
        if turn >= LEAST_REPEATS and time.perf_counter() > until:
            break
        for name, interpreter in interpreters.items():
            began = time.perf_counter()
            interpreter.invoke()
            times[name].append((time.perf_counter() - began) * 1000)
    return {name: round(statistics.median(found), 2) for name, found in times.items()}


def not_paying(mode: Found, bundle_ms: float, float32_ms: float) -> str | None:
    """A note if a form of 8 bits is hardly faster than float32 on this processor; None if it is, or has no 8 bits."""
    if mode not in EIGHT_BITS or bundle_ms < PAYS * float32_ms:
        return None
    return (
        f"8 bits do not pay on this processor: one inference takes {bundle_ms} ms in {mode} and {float32_ms} ms in "
        f"float32, on one thread of {processor()}. They pay on Lambda's arm64, where float32 is estimated to take "
        "almost four times as long (docs/costs.md), and the file is smaller everywhere"
    )


def processor() -> str:
    """The processor that this process runs on, as `described` puts it."""
    return described(_model_name() or platform.machine(), platform.machine(), processor_features())


def described(name: str, machine: str, features: list[str]) -> str:
    """A processor's name, and of x86_64 whether it has more than the AVX2 that Lambda documents."""
    if machine not in ("x86_64", "AMD64"):
        return name
    more = [feature for feature in features if feature.startswith("avx512")]
    if more:
        return f"{name}, which has more than the AVX2 of Lambda's x86_64 ({', '.join(more)})"
    return f"{name}, which has no more than Lambda's x86_64: AVX2"


def _model_name() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _warm(data: bytes) -> Any:
    try:
        interpreter = Interpreter(model_content=data, num_threads=1)
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
        interpreter.invoke()
        return interpreter
    except (ValueError, RuntimeError) as error:  # of a damaged file that loads before its graph is changed
        raise ConvertError(
            f"LiteRT cannot run the converted model: {str(error).splitlines()[0]}; download or export it again"
        ) from error
