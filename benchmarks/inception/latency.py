"""Inception v3, one inference: every mode, rewritten and as exported, side by side in one run.

Latency does not depend on the weights' values, so that random ones serve; models take turns, so that
whatever else the machine does hits all of them alike.

    python -m benchmarks.inception.latency [--threads 1] [--rounds 40]
"""

import argparse
import os
import statistics
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import processor
from convert import rewrite
from convert.graph import Graph
from convert.inception import open_inception
from convert.quantize import quantize
from convert.screen import console, quiet_libraries, working

MODES = ("float32", "float16", "dynamic", "int8")


def build(tflite: bytes, mode: str, rewritten: bool) -> bytes:
    """The model in one mode, as `python -m convert` makes it, with or without `--no-rewrite`."""
    graph = Graph(tflite)
    if rewritten:
        rewrite.pools_after_convolutions(graph)
        rewrite.softmax_left_to_serving(graph)
    rewrite.signature_added(graph)
    rng = np.random.default_rng(0)
    calibration = [rng.uniform(-1, 1, (1, 299, 299, 3)).astype(np.float32) for _ in range(4)]
    return quantize(graph.serialize(), mode, calibration)


def build_all() -> dict[tuple[str, bool], bytes]:
    """Every mode, as exported and rewritten."""
    with working("Reading Inception v3"), quiet_libraries():
        source = open_inception("none")
    pairs = [(mode, rewritten) for mode in MODES for rewritten in (False, True)]
    return {pair: build(source.tflite, *pair) for pair in track(pairs, "Converting", console=console)}


def measure(models: dict[tuple[str, bool], bytes], threads: int, rounds: int) -> dict[tuple[str, bool], float]:
    """Median ms of one inference each, the models taking turns."""
    runners = {key: _prepared(model, threads) for key, model in models.items()}
    durations: dict[tuple[str, bool], list[float]] = {key: [] for key in models}
    for _ in track(range(rounds), "Measuring", console=console):
        for key, interpreter in runners.items():
            began = time.perf_counter()
            interpreter.invoke()
            durations[key].append((time.perf_counter() - began) * 1000)
    return {key: statistics.median(values) for key, values in durations.items()}


def _prepared(model: bytes, threads: int) -> Any:
    interpreter = Interpreter(model_content=model, num_threads=threads)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    picture: NDArray[Any] = np.random.default_rng(0).uniform(-1, 1, details["shape"])
    if details["dtype"] != np.float32:
        picture *= 127
    interpreter.set_tensor(details["index"], picture.astype(details["dtype"]))
    interpreter.invoke()
    return interpreter


def main() -> int:
    """Build, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    models = build_all()
    medians = measure(models, options.threads, options.rounds)
    table = Table(
        title=f"Inception v3, 299x299, {options.threads} thread(s), {processor()}, medians of {options.rounds}"
    )
    for column in ("mode", "MB", "ms as exported", "ms rewritten", "ratio"):
        table.add_column(column, justify="left" if column == "mode" else "right")
    for mode in MODES:
        before, after = medians[mode, False], medians[mode, True]
        size = f"{len(models[mode, True]) / 1e6:.1f}"
        table.add_row(mode, size, f"{before:.1f}", f"{after:.1f}", f"{after / before:.2f}")
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
