"""Inception v3 in every mode, written once for a run. The weights are random: the time does not depend on them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.progress import track

from convert import rewrite
from convert.graph import Graph
from convert.modes import MODES, Mode
from convert.opening.applications import open_application
from convert.options import Options
from convert.quantize import quantize
from convert.screen import console, quiet_libraries, working

AS_EXPORTED = " as exported"


def name_of(mode: Mode, rewritten: bool) -> str:
    """The model's name in tables, and of its file: "int8", "int8 as exported"."""
    return mode if rewritten else mode + AS_EXPORTED


def build(tflite: bytes, mode: Mode, rewritten: bool) -> bytes:
    """The model in one mode, as `python -m convert` makes it with or without `--no-rewrite`."""
    graph = Graph(tflite)
    if rewritten:
        rewrite.make_faster(graph, mode)
        rewrite.without_final_activation(graph)
    rewrite.add_signature(graph)
    rng = np.random.default_rng(0)
    calibration = [rng.uniform(-1, 1, (1, 299, 299, 3)).astype(np.float32) for _ in range(4)]
    return quantize(graph, mode, calibration)


def write_all(folder: Path, modes: Sequence[Mode] = MODES, as_exported: bool = False) -> dict[str, Path]:
    """Write the .tflite file of each mode, rewritten, and as exported too if so chosen; by name, in their order."""
    with working("Reading Inception v3"), quiet_libraries():
        source = open_application("inception_v3", Options("inception_v3", weights="none"))
    pairs = [(mode, rewritten) for mode in modes for rewritten in ((True, False) if as_exported else (True,))]
    written = {}
    for mode, rewritten in track(pairs, "Converting", console=console):
        path = folder / f"{name_of(mode, rewritten)}.tflite"
        path.write_bytes(build(source.tflite, mode, rewritten))
        written[path.stem] = path
    return written
