"""Hostile input through the real function: files, requests, bombs, mutants, threads, little memory.

    python -m benchmarks.hostile [FOLDER ...] [--only PART ...] [--long] [--timed] [--mutations N] [--packaged]

FOLDER: every file below it is a picture; without one, `hostile` and `odd_pictures` of SLIMCEPTION_TEST_DATA, or
pictures that the tool draws. MODEL_DIR names other bundles. Exit code 1 if a promise is broken. Times are always
printed; with --timed they are promises, too: the machine must have nothing else to do.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import machine
from benchmarks.hostile import blast, costs, folder, fuzz, packaged, promises, soak, tables
from benchmarks.hostile.by_hand import sent_by_hand
from benchmarks.hostile.processes import FUNCTION, PLAIN, Child
from benchmarks.hostile.promises import Promise
from benchmarks.hostile.samples import write_samples
from chalicelib.inference import limits
from convert.arguments import count
from localaws.processor import mask_option
from localaws.processor.mask import Shown

PARTS = ("files", "requests", "bombs", "costs", "mutants", "soak", "memory")
LONG_MUTATIONS, MUTATIONS = 3_000_000, 20_000
LONG_SOAK, SOAK = 20_000, 500
EVERY = 8
"""One bomb in 8 is sent, unless --long is given."""
LIMIT_S = 60
"""Of processor time, for one answer: what takes longer hangs."""
OTHERS = 20
"""For 20 mutants of pictures, there is one of a request and one of a bundle."""


class Run(NamedTuple):
    """What a part needs."""

    folders: list[Path]
    files: list[Path]
    function: Callable[..., Child]
    """Makes a process; the argument is its headroom in MB, without one there is no limit."""
    processes: int
    shown: Shown
    options: argparse.Namespace


def of_files(run: Run) -> list[Promise]:
    """Every file by every way in."""
    outcomes = folder.answer_files(run.folders, run.function, lambda: Child(PLAIN), run.processes)
    tables.folder(outcomes)
    return promises.of_folder(outcomes, timed=run.options.timed)


def of_requests(run: Run) -> list[Promise]:
    """The requests made by hand."""
    with run.function() as child:
        total, wrong = sent_by_hand(child)
    tables.lines(wrong)
    return [Promise("requests made by hand get their statuses", f"{len(wrong)} of {total} wrong", not wrong)]


def of_bombs(run: Run) -> list[Promise]:
    """The bombs, alone and many at once."""
    blasts = blast.blast(run.function, run.processes, 1 if run.options.long else run.options.every)
    tables.bombs(blasts)
    return blast.of_bombs(blasts, timed=run.options.timed)


def of_mutants(run: Run) -> list[Promise]:
    """Mutants of pictures, requests and bundles; always in-process."""
    total = run.options.mutations or (LONG_MUTATIONS if run.options.long else MUTATIONS)
    found = []
    for kind, mutants in (("pictures", total), ("requests", total // OTHERS), ("cards", total // OTHERS)):
        fuzzed = fuzz.fuzz(kind, run.files, run.options.seed, mutants, run.processes, run.shown, tables.CONSOLE.print)
        tables.fuzzed(fuzzed)
        text = f"mutants of {kind} are handled"
        found.append(Promise(text, f"{len(fuzzed.findings)} of {mutants:,} are not", not fuzzed.findings))
    return found


def of_soak(run: Run) -> list[Promise]:
    """One process for many requests, and threads."""
    with run.function() as child:
        found = soak.soak(run.files, child, LONG_SOAK if run.options.long else SOAK)
    with run.function() as child:
        return found + soak.in_threads(soak.few(run.files), child)


def of_memory(run: Run) -> list[Promise]:
    """Processes of little memory."""
    with tempfile.TemporaryDirectory(prefix="slimception-") as folder:
        hungry = soak.hungry(Path(folder))
        starved = soak.starve(hungry + soak.few(run.files), run.function)
    tables.starved(starved)
    return soak.of_starved(starved)


def of_costs(run: Run) -> list[Promise]:
    """Nanoseconds a pixel and pass, beside the constants of the budget."""
    with run.function() as child:
        found = [*costs.measured(child), *costs.measured_methods()]
    tables.costs(found)
    missing = set(limits.COSTS) - {cost.variant for cost in found} - set(costs.NOT_MADE)
    low = [cost for cost in found if cost.constant_ns < cost.measured_ns]
    return [
        Promise("every variant's constants are measured", ", ".join(sorted(missing)) or "all", not missing),
        *([Promise("and none is too small", f"{len(low)} are", not low)] if run.options.timed else []),
    ]


DO: dict[str, Callable[[Run], list[Promise]]] = {
    "files": of_files,
    "requests": of_requests,
    "bombs": of_bombs,
    "costs": of_costs,
    "mutants": of_mutants,
    "soak": of_soak,
    "memory": of_memory,
}


def folders_of_data() -> list[Path]:
    """The tests' data, if there are any."""
    data = os.environ.get("SLIMCEPTION_TEST_DATA")
    return [path for name in ("hostile", "odd_pictures") if data and (path := Path(data, name)).is_dir()]


def make_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hostile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; may be repeated (default: all)")
    parser.add_argument("--long", action="store_true", help="all bombs, 3 million mutants, 20,000 requests")
    parser.add_argument("--timed", action="store_true", help="times are promises, too")
    parser.add_argument("--mutations", type=count, metavar="N", help=f"mutants of pictures (default {MUTATIONS:,})")
    parser.add_argument(
        "--every", type=count, default=EVERY, metavar="N", help="send each Nth bomb (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the mutants (default %(default)s)")
    parser.add_argument("--processes", type=count, default=2, metavar="N", help="at once (default %(default)s)")
    parser.add_argument("--packaged", action="store_true", help="ask the function's zip and its layer, unpacked")
    mask_option.add_option(parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the parts; print their tables and the verdict."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    shown = machine.shown(parser, options.processor)
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        folders = options.folders or folders_of_data()
        where = ", ".join(map(str, folders)) or "drawn by this tool"
        if not folders:
            folders = [write_samples(Path(scratch, "drawn"))]
        files = folder.files_in(folders)
        tables.CONSOLE.print(f"{len(files)} files ({where}), seed {options.seed}, {shown.heading}")
        with tempfile.TemporaryDirectory(prefix="slimception-") as unpacked:
            command = packaged.lay_out(Path(unpacked)) if options.packaged else FUNCTION
            run = Run(
                folders,
                files,
                partial(Child, command, LIMIT_S, shown.process_environment()),
                options.processes,
                shown,
                options,
            )
            found = [promise for part in options.only or PARTS for promise in DO[part](run)]
    tables.promises(found)
    return 0 if all(promise.kept for promise in found) else 1


if __name__ == "__main__":
    sys.exit(main())
