"""Measures one inference of Inception v3 in every mode, rewritten and as exported, in one run.

Latency does not depend on the values of the weights, so the weights are random. The models take turns, so
that the machine's other work slows all of them alike.

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
from convert.arguments import count
from convert.graph import Graph
from convert.inception import open_inception
from convert.modes import MODES, Mode
from convert.quantize import quantize
from convert.screen import console, quiet_libraries, working

Variant = tuple[Mode, bool]
"""The mode, and whether the graph is rewritten."""


def build(tflite: bytes, mode: Mode, rewritten: bool) -> bytes:
    """The model in one mode, as `python -m convert` makes it with or without `--no-rewrite`."""
    graph = Graph(tflite)
    if rewritten:
        rewrite.move_convolutions_before_pools(graph)
        rewrite.drop_final_softmax(graph)
    rewrite.add_signature(graph)
    rng = np.random.default_rng(0)
    calibration = [rng.uniform(-1, 1, (1, 299, 299, 3)).astype(np.float32) for _ in range(4)]
    return quantize(graph, mode, calibration)


def build_all() -> dict[Variant, bytes]:
    """The .tflite file of every mode, as exported and rewritten."""
    with working("Reading Inception v3"), quiet_libraries():
        source = open_inception("none")
    pairs = [(mode, rewritten) for mode in MODES for rewritten in (False, True)]
    return {pair: build(source.tflite, *pair) for pair in track(pairs, "Converting", console=console)}


def measure(models: dict[Variant, bytes], threads: int, rounds: int) -> dict[Variant, float]:
    """Median of one inference of each model, in ms; the models take turns."""
    runners = {key: _prepared(model, threads) for key, model in models.items()}
    durations: dict[Variant, list[float]] = {key: [] for key in models}
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
    """Build the models, measure them, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--threads", type=count, default=1, metavar="N", help="threads of an inference (default %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=count, default=40, metavar="N", help="inferences of each model (default %(default)s)"
    )
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
