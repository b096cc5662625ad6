"""Measures one inference of Inception v3 in every mode, on each processor that this machine can show, in one run.

Latency does not depend on the values of the weights, so the weights are random. The models take turns, and so do the
processes that are shown different processors: the machine's other work slows all of them alike.

    python -m benchmarks.inception.latency [--processor all] [--as-exported] [--rounds 40] [--out FILE.json]
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.inception.turns import Times, measure
from chalicelib.pricing import cost_usd
from convert.arguments import count
from convert.screen import console
from localaws.errors import ProcessorMissing
from localaws.processor import mask_option
from localaws.processor.mask import Shown, show
from localaws.processor.share import MEMORY_MB_PER_VCPU

REFERENCE = "float32"


def choose(levels: list[str]) -> tuple[list[Shown], dict[str, str]]:
    """What this machine can show of `levels`, and for each other level why it is not measured."""
    found: list[Shown] = []
    left_out: dict[str, str] = {}
    for level in levels:
        try:
            shown = show(level)
        except ProcessorMissing as error:
            left_out[level] = str(error)
            continue
        same = next((other for other in found if other.words == shown.words), None)
        if same:
            left_out[level] = f"the same as {same.level} here: {shown.heading}"
        else:
            found.append(shown)
    return found, left_out


def title(shown: list[Shown], left_out: dict[str, str], rounds: int) -> str:
    """What was measured, then a line for each level."""
    lines = [f"{each.level}: {each.heading}" for each in shown]
    others = [f"{level} is not measured: {why}" for level, why in left_out.items()]
    return "\n".join([f"One inference of Inception v3, 299x299, LiteRT, medians of {rounds}", *lines, *others])


def table(times: Times, sizes_bytes: dict[str, int], heading: str) -> Table:
    """A row for each level and model: ms and the ratio to float32 by threads, and the dollars of one thread."""
    made = Table(title=heading, title_justify="left")
    threads = list(next(iter(next(iter(times.values())).values())))
    columns = [name for number in threads for name in (f"ms, {number} thread{'s' * (number > 1)}", "of float32")]
    for column in ("shown", "mode", "MB", *columns, "$ / million"):
        made.add_column(column, justify="left" if column in ("shown", "mode") else "right")
    for level, models in times.items():
        for model, found in models.items():
            pairs = [(found[number], found[number] / models[REFERENCE][number]) for number in threads]
            cells = [cell for ms, ratio in pairs for cell in (f"{ms:.1f}", f"{ratio:.2f}")]
            made.add_row(level, model, f"{sizes_bytes[model] / 1e6:.1f}", *cells, _dollars(found))
        made.add_section()
    return made


def as_json(times: Times, shown: list[Shown], left_out: dict[str, str], rounds: int) -> dict[str, Any]:
    """The same, for a file."""
    by_level = {each.level: {"machine": each.heading, "ms": times[each.level]} for each in shown}
    return {"date": time.strftime("%Y-%m-%d"), "rounds": rounds, "processors": by_level, "not_measured": left_out}


def main(arguments: list[str] | None = None) -> int:
    """Build the models, measure them, print the table; 2 if this machine can show no level that was requested."""
    options = _parser().parse_args(arguments)
    shown, left_out = choose(mask_option.levels(options.processor))
    if not shown:
        for why in left_out.values():
            print(f"error: {why}", file=sys.stderr)
        return 2
    from benchmarks.inception.models import write_all  # TensorFlow takes seconds to import

    with tempfile.TemporaryDirectory(prefix="slimception-") as folder:
        models = write_all(Path(folder), as_exported=options.as_exported)
        turns = track(range(options.rounds), "Measuring", console=console)
        times = measure(shown, models, options.threads, turns)
        sizes_bytes = {name: path.stat().st_size for name, path in models.items()}
    Console(width=120).print(table(times, sizes_bytes, title(shown, left_out, options.rounds)))
    print(f"$ / million: Lambda's price of the inference and the request, one thread, {MEMORY_MB_PER_VCPU} MB.")
    if options.out:
        facts = as_json(times, shown, left_out, options.rounds)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 0


def _dollars(found: dict[int, float]) -> str:
    return f"{cost_usd(found[1], MEMORY_MB_PER_VCPU, 'x86_64') * 1e6:.2f}" if 1 in found else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mask_option.add_repeatable_option(parser)
    most = min(2, os.cpu_count() or 1)
    parser.add_argument(
        "--threads", type=count, nargs="+", default=[*range(1, most + 1)], metavar="N", help="default: 1 and 2"
    )
    parser.add_argument(
        "--rounds", type=count, default=40, metavar="N", help="inferences of each model (default %(default)s)"
    )
    parser.add_argument("--as-exported", action="store_true", help="also measure the graphs without the rewrites")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
