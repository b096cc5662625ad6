"""Will it hold my peak? A simulation of how Lambda and the API before it scale, fed with measured times.

    python -m benchmarks.peak --per-minute 1000000 --minutes 1 --front http
    python -m benchmarks.peak --every-front
    python -m benchmarks.peak --check [--processor avx2]

Prints what becomes of the load minute by minute, what would hold it, and the batch beside it; writes peak.json and
peak.png to --out. The limits are those that AWS documents; the times are measured on the machine that docs/tune.json
names, and for arm64 estimated. --check runs the app in `localaws` and compares; it alone measures, under --processor.
"""

import argparse
import sys
from dataclasses import fields
from typing import Any

from rich.console import Console

from benchmarks import machine
from benchmarks.peak import periods, tables
from benchmarks.peak.advice import Step, steps
from benchmarks.peak.batch import Batched, simulate_batch
from benchmarks.peak.durations import UnknownTimes
from benchmarks.peak.options import parser, setup_of
from benchmarks.peak.setup import Setup
from benchmarks.tune.prices import SOURCE
from localaws.errors import LocalAwsError

CONSOLE = Console(width=200, soft_wrap=True, highlight=False)


def run(options: argparse.Namespace) -> int:
    """Simulate the load and what would hold it; raises UnknownTimes or OSError."""
    setup = setup_of(options)
    CONSOLE.print(heading(setup, options), markup=False)
    found = list(steps(setup))
    batches = [simulate_batch(setup, workers) for workers in options.workers]
    first = found[0]
    CONSOLE.print(tables.of_periods("As it is, by minute", periods.minutes(setup, first.requests), first.figures))
    CONSOLE.print(tables.of_periods("As it is, the peak minute", periods.peak(setup, first.requests)))
    if len(found) > 1:
        last = found[-1]
        CONSOLE.print(tables.of_steps(found))
        CONSOLE.print(tables.of_periods(f"{last.name}, the peak minute", periods.peak(last.setup, last.requests)))
    CONSOLE.print(tables.of_batch(batches, found))
    for sentence in tables.advice(found, batches):
        CONSOLE.print(sentence, markup=False)
    CONSOLE.print(f"Prices: {SOURCE}. Provisioned concurrency is counted in steps of five minutes.")
    _write(options, heading(setup, options), found, batches)
    return 0


def heading(setup: Setup, options: argparse.Namespace) -> str:
    """What was simulated, in a line."""
    load, times = setup.load, setup.durations
    minutes = "1 minute" if load.minutes == 1 else f"{load.minutes} minutes"
    source = "measured, not on Lambda" if setup.arch == "x86_64" else "estimated, not on Graviton"
    throttle = "" if setup.front.account_rate is None else f" ({setup.rate:,} a second, burst {setup.burst:,})"
    return (
        f"{load.per_minute:,} requests a minute for {minutes}; {setup.front.name}{throttle}; concurrency"
        f" {setup.limit:,}; {options.bundle}, {setup.memory_mb:,} MB, {setup.arch}: INIT"
        f" {_median_ms(times.init_s)}, first {_median_ms(times.first_s)}, warm {_median_ms(times.warm_s)} ({source})"
    )


def _median_ms(values_s: Any) -> str:
    return f"{1000 * sorted(values_s)[len(values_s) // 2]:.0f} ms"


def _write(options: argparse.Namespace, said: str, found: list[Step], batches: list[Batched]) -> None:
    from benchmarks.peak.plot import draw  # Matplotlib takes a second to import

    plain = (int, float, str, bool, type(None))
    whole = {
        "simulated": said,
        "prices": SOURCE,
        "steps": [
            {
                "name": step.name,
                "held": step.held,
                "setup": {
                    field.name: value
                    for field in fields(step.setup)
                    if isinstance(value := getattr(step.setup, field.name), plain)
                },
                "in_all": step.figures.as_json(),
                "minutes": [one.as_json() for one in periods.minutes(step.setup, step.requests)],
                "peak_minute": [one.as_json() for one in periods.peak(step.setup, step.requests)],
            }
            for step in found
        ],
        "batch": [
            {"workers": one.workers, "last_s": one.last_s, "usd": one.usd, "upload_usd": one.upload_usd}
            for one in batches
        ],
        "advice": list(tables.advice(found, batches)),
    }
    machine.write_json(options.out / "peak.json", whole)
    shown = [found[0], *[step for step in found[1:-1] if not step.setup.retries][-1:], *found[1:][-1:]]
    draw(shown, said, options.out / "peak.png")
    CONSOLE.print(f"Written to {options.out}: peak.json, peak.png")


def main(arguments: list[str] | None = None) -> int:
    """0; 1 if the check fails; 2 if nothing was measured for what is requested, or nothing can be deployed here."""
    made = parser(__doc__)
    options = made.parse_args(arguments)
    try:
        if options.check:
            from benchmarks.peak.check import check  # the emulated AWS takes seconds to import

            return check(machine.shown(made, options.processor), CONSOLE)
        if options.every_front:
            from benchmarks.peak.every_front import compare

            return compare(options, CONSOLE)
        return run(options)
    except (UnknownTimes, LocalAwsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
