"""Power tuning without an account: runs the packaged function with the processor share of each memory size.

    python -m benchmarks.tune [--model NAME]... [--memory MB ...] [--repetitions N] [--processor avx2]

Deploys the project into `localaws`. Then runs the function with each bundle, memory size and number of threads in
turn: one cold start and some warm requests each time. Writes tune.json and a picture for each bundle to --out. The
functions are shown AVX2, as on Lambda, but the processor is this machine's: the milliseconds differ on Lambda.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks import machine
from benchmarks.tune import bundles, deployment, measure, plan, tables
from benchmarks.tune.outcome import BALANCE, Outcome, outcomes
from benchmarks.tune.prices import SOURCE
from convert.arguments import count
from localaws.deploy.deployer import PROJECT
from localaws.errors import CgroupMissing, LocalAwsError
from localaws.host import interpreters
from localaws.host.lambda_host import LambdaHost
from localaws.host.masking import additions
from localaws.processor import cgroup, mask_option
from localaws.processor.duty_cycle import DutyCycle
from localaws.processor.mask import Shown
from localaws.processor.share import Processor

BUILD = PROJECT / "build" / "tune"
CONSOLE = Console(width=140, soft_wrap=True, highlight=False)


def tune(options: argparse.Namespace, shown: Shown, shares: Processor) -> list[Outcome]:
    """Deploy and measure; raises LocalAwsError or UnknownBundle."""
    names = bundles.lay_out(options.model, BUILD / "project")
    function = deployment.deploy(BUILD / "project", options.python, lambda _: None)
    cpus = len(os.sched_getaffinity(0))
    left_out = plan.too_large(options.memory, cpus)
    sizes_mb = [size for size in options.memory if size not in left_out]
    events = {
        chosen: event
        for name in names
        for event in [deployment.event_with(bundles.picture_for(name))]
        for chosen in plan.configurations(name, sizes_mb, cpus)
    }
    measure.go_first()
    with LambdaHost(max_instances=1, processor=shares, additions=additions(shown)) as host:
        measurement = measure.Measurement(host, function, deployment.configured)
        return outcomes(measurement.run(events, _turns(options.repetitions)), left_out)


def show(found: list[Outcome], heading: str, how: str) -> None:
    """Print the tables and the remarks."""
    CONSOLE.print(f"Not on Lambda: {heading}. Shares by {how}; INIT has at least one vCPU.")
    for outcome in found:
        CONSOLE.print(tables.table(outcome, heading))
        for remark in tables.remarks(outcome):
            CONSOLE.print(remark)


def write(found: list[Outcome], facts: dict[str, Any], out: Path) -> None:
    """Write tune.json and the pictures; raises OSError."""
    from benchmarks.tune.plot import draw  # Matplotlib takes a second to import

    whole = {**facts, "bundles": {outcome.bundle: outcome.as_json() for outcome in found}}
    machine.write_json(out / "tune.json", whole)
    for outcome in found:
        draw(outcome, facts["machine"], out / f"tune-{outcome.bundle}.png")
    CONSOLE.print(f"Written to {out}: tune.json, {', '.join(f'tune-{outcome.bundle}.png' for outcome in found)}")


def find_shares() -> Processor:
    """Cgroups if they can be created, else a duty cycle."""
    try:
        return cgroup.find()
    except CgroupMissing:
        return DutyCycle()


def main(arguments: list[str] | None = None) -> int:
    """Tune once; returns 2 if a bundle is unknown or cannot be deployed."""
    parser = _parser()
    options = parser.parse_args(arguments)
    shown, shares = machine.shown(parser, options.processor), find_shares()
    try:
        options.python = interpreters.find(options.python) if options.python else interpreters.preferred()
        found = tune(options, shown, shares)
    except (LocalAwsError, bundles.UnknownBundle) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    facts = {
        "machine": shown.heading,
        "processor": shown.level,
        "date": time.strftime("%Y-%m-%d"),
        "python": options.python.version,
        "shares": shares.name,
        "repetitions": options.repetitions,
        "balance": BALANCE,
        "prices": SOURCE,
    }
    show(found, facts["machine"], facts["shares"])
    write(found, facts, options.out)
    return 0


def _turns(repetitions: int) -> Iterable[int]:
    return track(range(repetitions), "Measuring", console=CONSOLE, transient=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tune", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME", help="a bundle, may be repeated (default: all)"
    )
    sizes = " ".join(map(str, plan.SIZES_MB))
    parser.add_argument(
        "--memory", type=_memory_mb, nargs="+", default=plan.SIZES_MB, metavar="MB", help=f"default: {sizes}"
    )
    parser.add_argument(
        "--repetitions", type=count, default=15, metavar="N", help="cold starts of each configuration (%(default)s)"
    )
    parser.add_argument("--python", metavar="VERSION", help="default: the first of Lambda's versions that is installed")
    mask_option.add_option(parser)
    parser.add_argument("--out", type=Path, default=BUILD, metavar="DIR", help="default: build/tune")
    return parser


def _memory_mb(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 128 <= int(text) <= 10240:
        raise argparse.ArgumentTypeError(f"{text!r}: expected Lambda's 128 to 10240 MB")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
