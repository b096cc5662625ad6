"""Time from a new process to its first answer: the packaged function, and the same job in TensorFlow and Keras.

The function's zip, the runtime layer and the model layer with Inception v3 are unpacked as Lambda lays them out.
A process that sees nothing else answers one API Gateway event. The variants take turns; the first round fills
the disk cache and does not count. Without bytecode, Python compiles at every start, as it would on Lambda's
read-only file system.

Lambda's first start finds no file in the disk cache. So the rows "not in the disk cache" are of starts before each of
which the function's, the layers', the model's and Python's files are dropped from it (posix_fadvise). Pages that other
processes have mapped stay: those of the C library, and of this Python's binary.

    python -m benchmarks.cold_start [--rounds 9] [--against ANOTHER_CHECKOUT] [--processor avx2]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import machine
from benchmarks.cold_start.starts import KERAS, NOT_CACHED, Start, prepare
from convert.arguments import count
from convert.screen import console
from localaws.processor import mask_option
from localaws.processor.mask import Shown

PARTS = ("python_ms", "import_ms", "model_load_ms", "first_inference_ms")


def drop_from_disk_cache(start: Start) -> None:
    """Make the kernel forget the files that a start reads (posix_fadvise(2), POSIX_FADV_DONTNEED)."""
    for path in start.files():
        file = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)


def answer_once(start: Start, shown: Shown) -> dict[str, float]:
    """Start a process and wait for its first answer: the whole time, and the parts that its log states, in ms."""
    drop_from_disk_cache(start)
    began = time.perf_counter()
    with subprocess.Popen(
        start.command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**start.environment, **shown.environment},
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "answered\n":
                break
        total = (time.perf_counter() - began) * 1000
    if process.returncode != 0:
        raise SystemExit(f"no answer from {' '.join(start.command)}")
    logged: list[dict[str, Any]] = [json.loads(line) for line in lines if "cold_start_ms" in line]
    return {**(logged[0]["cold_start_ms"] if logged else {}), "answered_ms": total}


def measure(starts: dict[str, Start], shown: Shown, rounds: int) -> dict[str, dict[str, float]]:
    """Median of each part of each variant, in ms; the variants take turns."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in starts}
    for number in track(range(rounds + 1), "Starting processes", console=console):
        for name, start in starts.items():
            run = answer_once(start, shown)
            if number:
                runs[name].append(run)
    return {name: {part: statistics.median(r[part] for r in rs) for part in rs[0]} for name, rs in runs.items()}


def show(medians: dict[str, dict[str, float]], heading: str, rounds: int) -> None:
    """Print the table, with each variant's share of the time of Keras, whose files are in the disk cache."""
    title = f"New process to first answer, Inception v3, ms, medians of {rounds}\n{heading}"
    table = Table(title=title, title_justify="left")
    for column in ("", "start", "import", "load", "first inference", "first answer", "of Keras"):
        table.add_column(column, justify="right" if column else "left")
    whole = medians[KERAS]["answered_ms"]
    for name, parts in medians.items():
        split = [f"{parts[part]:.0f}" if part in parts else "" for part in PARTS]
        share = "" if name.endswith(NOT_CACHED) else f"1/{whole / parts['answered_ms']:.1f}"
        table.add_row(name, *split, f"{parts['answered_ms']:.0f}", share)
    Console(width=130).print(table)


def main() -> int:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=count, default=9, metavar="N", help="starts of each (default %(default)s)")
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout, to compare its function")
    mask_option.add_option(parser)
    options = parser.parse_args()
    shown = machine.shown(parser, options.processor)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryDirectory() as folder:
        starts = prepare(Path(folder), options.against)
        os.sync()  # only what has been written can be dropped from the disk cache
        show(measure(starts, shown, options.rounds), shown.heading, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
