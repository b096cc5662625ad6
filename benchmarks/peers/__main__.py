"""Measures this project's models beside other engines: warm inference, agreement, memory, megabytes, dollars.

The same networks run in LiteRT, tflite-runtime, ONNX Runtime, OpenVINO, TensorFlow and Keras, each in its own
environment, in processes that take turns. SLIMCEPTION_TEST_DATA names the folder with trained networks and pictures;
without it the weights are random, and agreement is not judged.

    python -m benchmarks.peers [--processor all] [--network inception_v3] [--rounds 20] [--out build/bench/bench.json]
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console
from rich.progress import track

from benchmarks import machine
from benchmarks.peers import sources
from benchmarks.peers.outcome import OfNetwork, Outcome, Row
from benchmarks.peers.sources import Network, Pictures, networks
from benchmarks.peers.tables import NOTES, tables
from convert.arguments import count
from convert.errors import ConvertError
from convert.screen import console
from localaws.processor import mask_option
from localaws.processor.mask import Shown

NAMES = [network.name for network in networks(None)]


def compare(network: Network, pictures: Pictures, shown: list[Shown], options: argparse.Namespace) -> OfNetwork:
    """Prepare one network in every engine, judge it, measure it; raises ConvertError."""
    from benchmarks.peers.models import AS_EXPORTED, prepare  # TensorFlow takes seconds to import
    from benchmarks.peers.needs import agreement, needs
    from benchmarks.peers.turns import measure

    with tempfile.TemporaryDirectory(prefix="slimception-") as folder:
        prepared = prepare(network, pictures, Path(folder))
        judging = track([*prepared.models] if network.trained else [], "Judging", console=console)
        judged = {model.name: {each.level: agreement(model, prepared, each) for each in shown} for model in judging}
        weighed = track([m for m in prepared.models if AS_EXPORTED not in m.mode], "Weighing", console=console)
        needed = {model.name: needs(model, prepared, shown[0]) for model in weighed}
        turns = track(range(options.rounds), "Measuring", console=console)
        times = measure(shown, prepared.models, options.threads, prepared.judged, turns)
    rows = {
        each.level: [
            Row(
                model.engine,
                model.mode,
                {threads: timed.median for threads, timed in times[each.level][model.name].items()},
                judged.get(model.name, {}).get(each.level),
                {threads: timed.fastest for threads, timed in times[each.level][model.name].items()},
            )
            for model in prepared.models
        ]
        for each in shown
    }
    return OfNetwork(network.title, network.trained, rows, needed, prepared.left_out)


def write(outcome: Outcome, out: Path) -> None:
    """The JSON file, and a picture beside it for each network and processor; raises OSError."""
    from benchmarks.peers.plot import draw

    machine.write_json(out, outcome.to_json())
    for name, found in outcome.networks.items():
        for shown in outcome.shown:
            draw(found, shown.level, f"{found.title}, {shown.heading}", out.parent / f"{name}-{shown.level}.png")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; 2 if this machine can show no level that was requested, or a conversion fails."""
    options = _parser().parse_args(arguments)
    shown, not_measured = machine.those_shown(mask_option.levels(options.processor))
    if not shown:
        print(*(f"error: {why}" for why in not_measured.values()), sep="\n", file=sys.stderr)
        return 2
    data = sources.data_folder()
    included = {path.stem: _read(path) for path in options.include if path.exists()}
    with tempfile.TemporaryDirectory(prefix="slimception-") as folder:
        pictures = Pictures.prepare(data, Path(folder))
        chosen = [network for network in networks(data) if network.name in (options.network or NAMES)]
        try:
            found = {network.name: compare(network, pictures, shown, options) for network in chosen}
        except ConvertError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    outcome = Outcome(shown, not_measured, options.rounds, found, included)
    write(outcome, options.out)
    _print(outcome, options.out)
    return 0


def _print(outcome: Outcome, out: Path) -> None:
    screen = Console(width=140)
    for table in tables(outcome):
        screen.print(table)
    print(NOTES)
    for level, why in outcome.not_measured.items():
        print(f"{level} is not measured: {why}")
    for engine, why in {pair for found in outcome.networks.values() for pair in found.left_out.items()}:
        print(f"{engine} is not measured: {why}")
    print(f"{out} has all figures, and pictures are beside it.")


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    mask_option.add_repeatable_option(parser)
    most = min(2, os.cpu_count() or 1)
    parser.add_argument(
        "--threads", type=count, nargs="+", default=[*range(1, most + 1)], metavar="N", help="default: 1 and 2"
    )
    parser.add_argument(
        "--rounds", type=count, default=20, metavar="N", help="inferences of each model (default %(default)s)"
    )
    parser.add_argument("--network", action="append", choices=NAMES, help="may be repeated (default: all)")
    parser.add_argument(
        "--include",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="what another benchmark wrote, to stand in the same JSON under the file's name; may be repeated",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/bench/bench.json"), metavar="FILE", help="default: %(default)s"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
