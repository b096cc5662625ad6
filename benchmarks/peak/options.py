"""The command line of `python -m benchmarks.peak`."""

import argparse
from pathlib import Path

from benchmarks.peak.durations import DOCS, measured
from benchmarks.peak.limits import ACCOUNT_CONCURRENCY, FRONTS, STAGE_BURST, STAGE_RATE
from benchmarks.peak.setup import Load, Setup
from convert.arguments import count
from localaws.deploy.deployer import PROJECT
from localaws.processor import mask_option
from localaws.processor.share import MEMORY_MB_PER_VCPU

BUILD = PROJECT / "build" / "peak"
MOST_RETRIES = 20
WORKERS = (10, 1000)
"""The stage's MaximumConcurrency, and the most that SQS's pollers reach."""


def parser(description: str | None) -> argparse.ArgumentParser:
    """All options."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.peak", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_load(made)
    _add_deployment(made)
    made.add_argument("--every-front", action="store_true", help="the table of docs/peak.md: each front and processor")
    made.add_argument("--check", action="store_true", help="compare the model with 24 clients of this machine's AWS")
    mask_option.add_option(made)
    made.add_argument("--out", type=Path, default=BUILD, metavar="DIR", help="default: build/peak")
    return made


def setup_of(options: argparse.Namespace) -> Setup:
    """The deployment as it is; raises UnknownTimes or OSError."""
    return Setup(
        load=Load(options.per_minute, options.minutes, options.after, options.arrivals == "even"),
        durations=measured(options.tune, options.bundle, options.memory_mb, options.arch),
        memory_mb=options.memory_mb,
        arch=options.arch,
        front_name=options.front,
        rate=options.rps,
        burst=options.burst,
        account_limit=options.account_limit,
        reserved=options.concurrency,
        provisioned=options.provisioned,
        warm_in_init=options.warm_in_init,
        retries=options.retries,
        seed=options.seed,
    )


def _add_load(made: argparse.ArgumentParser) -> None:
    made.add_argument("--per-minute", type=count, default=1_000_000, metavar="N", help="requests (default %(default)s)")
    made.add_argument("--minutes", type=count, default=1, metavar="N", help="of load (default %(default)s)")
    made.add_argument("--after", type=_number, default=1, metavar="N", help="minutes of none after it, shown as well")
    made.add_argument(
        "--arrivals", choices=("random", "even"), default="random", help="a Poisson process, or evenly spread"
    )
    made.add_argument(
        "--retries", type=_retries, default=0, metavar="N", help="tries of a client after a throttled one (default 0)"
    )
    made.add_argument("--seed", type=_number, default=1, metavar="N")


def _add_deployment(made: argparse.ArgumentParser) -> None:
    made.add_argument("--front", choices=FRONTS, default="http", help="what stands before the function (%(default)s)")
    made.add_argument("--rps", type=count, default=STAGE_RATE, metavar="N", help="RequestsPerSecond (%(default)s)")
    made.add_argument("--burst", type=count, default=STAGE_BURST, metavar="N", help="RequestBurst (%(default)s)")
    made.add_argument(
        "--account-limit", type=count, default=ACCOUNT_CONCURRENCY, metavar="N", help="concurrency (%(default)s)"
    )
    made.add_argument("--concurrency", type=count, metavar="N", help="reserved for the function (default: none)")
    made.add_argument("--provisioned", type=_number, default=0, metavar="N", help="provisioned concurrency")
    made.add_argument("--warm-in-init", action="store_true", help="the function has WARM_IN_INIT=true")
    made.add_argument("--workers", type=count, nargs="+", default=WORKERS, metavar="N", help="of the batch beside it")
    made.add_argument("--bundle", default="inception_v3", metavar="NAME", help="as in --tune (default %(default)s)")
    made.add_argument("--memory-mb", type=count, default=MEMORY_MB_PER_VCPU, metavar="MB", help="default %(default)s")
    made.add_argument("--arch", choices=("x86_64", "arm64"), default="x86_64", help="arm64 is an estimate")
    made.add_argument(
        "--tune", type=Path, default=DOCS / "tune.json", metavar="FILE", help="the times; default docs/tune.json"
    )


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, 0 or more")
    return int(text)


def _retries(text: str) -> int:
    if _number(text) > MOST_RETRIES:
        raise argparse.ArgumentTypeError(f"{text!r}: expected at most {MOST_RETRIES}")
    return int(text)
