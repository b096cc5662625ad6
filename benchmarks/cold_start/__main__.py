"""Time from a new process to its first answer: the packaged function, bare scripts in other engines, and Keras.

The function's zip, the runtime layer and the model layer with Inception v3 are unpacked as Lambda lays them out, and
mounted read-only if bubblewrap is here.
A process that sees nothing else answers one API Gateway event. A bare script imports NumPy, Pillow and an engine, and
answers for the same picture. LiteRT's has the wheels as pip unpacks them; the others have environments of their
kind. All have bytecode, and as many processors as threads (Lambda gives one for 1,769 MB). The variants take turns; the
first round fills the disk cache and does not count. Ratios are of two starts of one round, for the machine's speed
changes from round to round. Without bytecode, Python compiles at every start, as it would on Lambda's read-only file
system.

Lambda's first start finds no file in the disk cache. So the rows "not in the disk cache" are of starts before each of
which the function's, the layers', the model's and Python's files are dropped from it (posix_fadvise). Pages that other
processes have mapped stay: those of the C library, and of this Python's binary.

The account says where the milliseconds of the packaged function go.

    python -m benchmarks.cold_start [--rounds 9] [--threads 1] [--against ANOTHER_CHECKOUT] [--processor avx2]
        [--out FILE.json]
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import machine
from benchmarks.cold_start import account
from benchmarks.cold_start.processes import Starter
from benchmarks.cold_start.starts import BARE, KERAS, MODES, NOT_CACHED, PACKAGED, PEERS, Start, prepare
from convert.arguments import count
from convert.screen import console
from localaws.processor import mask_option
from localaws.processor.mask import Shown

PARTS = ("python_ms", "import_ms", "model_load_ms", "first_inference_ms")
BARS = {
    **{BARE.format(mode): (PACKAGED.format(mode), 1.05) for mode in MODES},
    PEERS["onnxruntime"]: (PACKAGED.format("int8"), 0.60),
    PEERS["openvino"]: (PACKAGED.format("int8"), 0.30),
    KERAS: (PACKAGED.format("int8"), 1 / 33),
}
"""What is compared, to the packaged function that is compared with it and the most that its share should be."""


def drop_from_disk_cache(start: Start) -> None:
    """Make the kernel forget the files that a start reads (posix_fadvise(2), POSIX_FADV_DONTNEED)."""
    for path in start.files():
        file = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)


def answer_once(starter: Starter, start: Start, shown: Shown) -> dict[str, float]:
    """Start a process and wait for its first answer: the whole time, and the parts that its log states, in ms."""
    drop_from_disk_cache(start)
    ended = starter.run(start, shown)
    logged: list[dict[str, Any]] = [json.loads(line) for line in ended.out.splitlines() if "cold_start_ms" in line]
    return {**(logged[0]["cold_start_ms"] if logged else {}), "answered_ms": ended.ms}


Runs = dict[str, list[dict[str, float]]]
"""Each variant's starts, one a round: the ms of each part."""


def measure(starter: Starter, starts: dict[str, Start], shown: Shown, rounds: int) -> Runs:
    """Start each variant `rounds` times; they take turns."""
    runs: Runs = {name: [] for name in starts}
    for number in track(range(rounds + 1), "Starting processes", console=console):
        for name, start in starts.items():
            run = answer_once(starter, start, shown)
            if number:
                runs[name].append(run)
    return runs


def medians_of(runs: Runs) -> dict[str, dict[str, float]]:
    """Median of each part of each variant, in ms."""
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


def shares(runs: Runs) -> dict[str, dict[str, float]]:
    """By what is compared: `share`, the packaged function's time in terms of its, and `bar`, the most it should be."""
    found = {}
    for other, (packaged, bar) in BARS.items():
        if other in runs:
            pairs = zip(runs[packaged], runs[other], strict=True)
            share = statistics.median(ours["answered_ms"] / theirs["answered_ms"] for ours, theirs in pairs)
            found[other] = {"share": share, "bar": bar}
    return found


def show_shares(found: dict[str, dict[str, float]]) -> None:
    """Print them, and which are missed."""
    table = Table(title="First answer of the packaged function", title_justify="left")
    for column in ("in terms of", "at most", "measured", ""):
        table.add_column(column, justify="left" if column in ("in terms of", "") else "right")
    for other, one in found.items():
        verdict = "" if one["share"] <= one["bar"] else "missed"
        table.add_row(other, f"{one['bar']:.3f}", f"{one['share']:.3f}", verdict)
    Console(width=130).print(table)


def main() -> int:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=count, default=9, metavar="N", help="starts of each (default %(default)s)")
    parser.add_argument("--threads", type=count, default=1, metavar="N", help="of an inference (default %(default)s)")
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout, to compare its function")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write what was measured as JSON")
    mask_option.add_option(parser)
    options = parser.parse_args()
    shown = machine.shown(parser, options.processor)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    heading = f"{shown.heading}, {options.threads} thread{'s' * (options.threads > 1)}"
    with tempfile.TemporaryDirectory() as folder:
        starts, left_out = prepare(Path(folder), options.against, options.threads)
        os.sync()  # only what has been written can be dropped from the disk cache
        with Starter(Path(folder), options.threads) as starter:
            runs = measure(starter, starts, shown, options.rounds)
            packaged = {mode: starts[PACKAGED.format(mode)] for mode in MODES}
            accounts = {
                mode: account.account(starter, start, shown, options.rounds) for mode, start in packaged.items()
            }
    medians, found = medians_of(runs), shares(runs)
    show(medians, heading, options.rounds)
    show_shares(found)
    Console(width=130).print(account.table(accounts, heading, options.rounds))
    if starter.writable:
        print(f"the files were writable, so that each start compares the model's checksum: {starter.writable}")
    for name, reason in left_out.items():
        print(f"not measured: {name}: {reason}")
    if options.out:
        facts = {"date": time.strftime("%Y-%m-%d"), "machine": shown.heading, "threads": options.threads}
        measured = {"rounds": options.rounds, "ms": medians, "shares": found, "account_ms": accounts}
        machine.write_json(options.out, {**facts, **measured, "not_measured": left_out})
    return 0


if __name__ == "__main__":
    sys.exit(main())
