"""The table of docs/peak.md: the load behind each front, on each processor."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rich.console import Console

from benchmarks.peak.advice import Step, steps
from benchmarks.peak.batch import simulate_batch
from benchmarks.peak.durations import measured
from benchmarks.peak.limits import FRONTS
from benchmarks.peak.options import setup_of
from benchmarks.peak.setup import Setup
from benchmarks.peak.tables import of_batch, of_steps

ARCHITECTURES = ("x86_64", "arm64")


def compare(options: argparse.Namespace, console: Console) -> int:
    """Print a table for each, and write peak-fronts.json to --out; raises UnknownTimes or OSError."""
    rows: list[dict[str, Any]] = []
    batches: dict[str, list[dict[str, float]]] = {}
    for arch in ARCHITECTURES:
        times = measured(options.tune, options.bundle, options.memory_mb, arch)
        setup = replace(setup_of(options), arch=arch, durations=times)
        queued = [simulate_batch(setup, workers) for workers in options.workers]
        batches[arch] = [
            {"workers": one.workers, "last_s": round(one.last_s, 1), "usd": round(one.usd, 2)} for one in queued
        ]
        for front in FRONTS:
            found = list(steps(_opened(replace(setup, front_name=front))))
            console.print(f"{FRONTS[front].name}, {arch}")
            console.print(of_steps(found))
            rows += _rows(front, arch, found)
        console.print(of_batch(queued, found))
    options.out.mkdir(parents=True, exist_ok=True)
    written = {"per_minute": options.per_minute, "minutes": options.minutes, "fronts": rows, "batch": batches}
    (options.out / "peak-fronts.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    console.print(f"Written to {options.out}: peak-fronts.json. As in docs/peak.md:")
    for line in (*lines(rows), *lines_of_batch(batches)):
        console.print(line, markup=False)
    return 0


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The rows of the page's table of the API; fronts whose figures differ in dollars alone have a row each."""
    for row in rows:
        deployment = f"concurrency {row['concurrency']:,}"
        if row["provisioned"]:
            deployment += f", {row['provisioned']:,} provisioned"
        if row["retries"]:
            deployment += f", {row['retries']} more tries"
        rate = f"{row['account_rate']:,.0f}" if row["account_rate"] else "none"
        cells = (FRONTS[row["front"]].name, row["arch"], rate, deployment, f"{row['throttled_share']:.2%}")
        latency = (f"{row['p50_ms']:,.0f}", f"{row['p99_ms']:,.0f}")
        yield f"| {' | '.join((*cells, *latency, format(row['environments'], ','), format(row['usd'], '.2f')))} |"


def lines_of_batch(batches: dict[str, list[dict[str, float]]]) -> Iterator[str]:
    """The rows of the page's table of the batch."""
    for arch, found in batches.items():
        for one in found:
            last = f"{one['last_s'] / 60:,.1f}"
            yield f"| {arch} | {one['workers']:,} | {last} | {one['usd']:.2f} |"


def _opened(setup: Setup) -> Setup:
    """With the stage's throttle at that of a new account, so that it is not what the table shows."""
    front = setup.front
    return setup if front.account_rate is None else replace(setup, rate=front.account_rate, burst=front.account_burst)


def _rows(front: str, arch: str, found: list[Step]) -> Iterator[dict[str, Any]]:
    for step in found:
        figures = step.figures
        assert figures.latency_ms is not None
        yield {
            "front": front,
            "arch": arch,
            "step": step.name,
            "held": step.held,
            "concurrency": step.setup.limit,
            "account_rate": step.setup.account_rate or step.setup.front.account_rate,
            "provisioned": step.setup.provisioned,
            "retries": step.setup.retries,
            "throttled_share": round(figures.throttled_share, 5),
            "p50_ms": figures.latency_ms[0],
            "p99_ms": figures.latency_ms[2],
            "cold_starts": figures.cold_starts,
            "environments": figures.environments,
            "usd": round(figures.total_usd, 2),
        }
