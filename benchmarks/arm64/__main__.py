"""Counts the instructions of one inference of Inception v3 on arm64, and estimates time and dollars on Graviton2.

The arm64 wheels run under QEMU as on a Neoverse N1, one thread. Counts are the same in every run. ONNX Runtime's int8
stands beside LiteRT's modes.

    python -m benchmarks.arm64 [--mode int8]... [--functions] [--without-sys] [--out FILE.json]
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import machine
from benchmarks.arm64 import counting, functions, peer
from benchmarks.arm64.counting import Counter, Counts
from benchmarks.arm64.estimate import ASSUMPTIONS, Estimate
from benchmarks.peers.environments import PeerMissing
from convert.arguments import count
from convert.modes import MODES
from convert.screen import console
from layers.build.wheels import REQUIREMENTS, download, unpack
from layers.emulator.emulator import PROCESSOR
from layers.emulator.root import PYTHON
from layers.errors import LayerError
from layers.targets import target
from localaws.errors import CompilerMissing, PackagesMissing

REFERENCE = "float32"


def table(counts: dict[str, Counts], heading: str) -> Table:
    """Instructions in thousand millions, and what they mean."""
    made = Table(title=f"{heading}\n{ASSUMPTIONS}", title_justify="left")
    columns = ("all", "SIMD", "dot", "multiply-add", "widening", "load, store", "SIMD, ms", "all, ms", "$ / million")
    for column in ("mode", *columns, f"of {REFERENCE}"):
        made.add_column(column, justify="left" if column == "mode" else "right")
    if peer.NAME in counts:
        made.add_column(f"all, of {peer.NAME}", justify="right")
    estimates = {mode: Estimate.of(found) for mode, found in counts.items()}
    for mode, found in counts.items():
        own = estimates[mode]
        ratio = f"{own.ms / estimates[REFERENCE].ms:.2f}" if REFERENCE in estimates else ""
        times = (f"{own.simd_ms:.0f}", f"{own.all_ms:.0f}", f"{own.usd_per_million:.2f}", ratio)
        of_peer = [f"{found.all / counts[peer.NAME].all:.2f}"] if peer.NAME in counts else []
        made.add_row(mode, *(f"{number / 1e9:.3f}" for number in found), *times, *of_peer)
    return made


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Counts]:
    """Build the models, fetch the arm64 wheels, count; raises LayerError or CompilerMissing."""
    emulator = counting.emulator()
    arm64 = target(PYTHON, "arm64")
    unpack(download(arm64, REQUIREMENTS, folder / "wheels"), folder / "python", arm64)
    counter = Counter(emulator, folder / "python", has_sys=not options.without_sys)
    from benchmarks.inception.models import write_all  # TensorFlow takes seconds to import

    models = write_all(folder, modes=options.mode or MODES)
    turns = track(models.items(), "Counting", console=console)
    counts = {name: counter.one_inference(path, options.inferences) for name, path in turns}
    for name, path in models.items() if options.functions else ():
        found = functions.by_function(counter, path, folder)
        Console(width=150).print(functions.table(found, f"{name}: millions of instructions by function, one inference"))
    if not options.mode:
        try:
            counts[peer.NAME] = peer.count_it(emulator, folder, not options.without_sys, options.inferences)
        except (PeerMissing, PackagesMissing) as error:
            console.print(f"{peer.NAME} is not counted: {error}")
    return counts


def main(arguments: list[str] | None = None) -> int:
    """Count once; 2 if something is missing here."""
    options = _parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="slimception-") as folder:
            counts = measure(options, Path(folder))
    except (LayerError, CompilerMissing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    heading = f"One inference of Inception v3 on arm64, in thousand millions of instructions, as {PROCESSOR}"
    if options.without_sys:
        heading += ", /sys hidden and nothing in its place"
    Console(width=150).print(table(counts, heading))
    if options.out:
        found = {mode: {**each._asdict(), **asdict(Estimate.of(each))} for mode, each in counts.items()}
        facts = {"estimate": ASSUMPTIONS, "date": time.strftime("%Y-%m-%d"), "has_sys": not options.without_sys}
        machine.write_json(options.out, {**facts, "instructions": found})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.arm64", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--mode", action="append", default=[], choices=MODES, help="may be repeated (default: all, and ONNX Runtime)"
    )
    parser.add_argument(
        "--inferences", type=count, default=1, metavar="K", help="of a run; the other has 2K (default %(default)s)"
    )
    parser.add_argument("--functions", action="store_true", help="also show which functions execute them")
    parser.add_argument(
        "--without-sys",
        action="store_true",
        help="hide /sys, as on Lambda, without the layer's library that stands in for it: LiteRT then loses XNNPACK",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
