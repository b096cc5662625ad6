"""The table of docs/peak.md: the load behind each front, on each processor."""

import argparse
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

from rich.console import Console

from benchmarks import machine
from benchmarks.peak.advice import Step, steps
from benchmarks.peak.batch import simulate_batch
from benchmarks.peak.durations import measured
from benchmarks.peak.limits import FRONTS
from benchmarks.peak.options import setup_of
from benchmarks.peak.periods import whole
from benchmarks.peak.setup import Setup

ARCHITECTURES = ("x86_64", "arm64")
ALIKE = (("rest", "http"), ("url",))
"""Fronts with the same throttles: of these, a simulation differs in price alone."""


def compare(options: argparse.Namespace, console: Console) -> int:
    """Print the rows of the page, and write peak-fronts.json to --out; raises UnknownTimes or OSError."""
    rows: list[dict[str, Any]] = []
    batches: dict[str, list[dict[str, float]]] = {}
    setups = {
        arch: replace(
            setup_of(options), arch=arch, durations=measured(options.tune, options.bundle, options.memory_mb, arch)
        )
        for arch in ARCHITECTURES
    }
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        tasks = [(setup, fronts) for setup in setups.values() for fronts in ALIKE]
        for found in pool.map(behind, *zip(*tasks, strict=True)):
            rows += found
    for arch, setup in setups.items():
        queued = [simulate_batch(setup, workers) for workers in options.workers]
        batches[arch] = [
            {"workers": one.workers, "last_s": round(one.last_s, 1), "usd": round(one.usd, 2)} for one in queued
        ]
    written = {"per_minute": options.per_minute, "minutes": options.minutes, "fronts": rows, "batch": batches}
    machine.write_json(options.out / "peak-fronts.json", written)
    console.print(f"Written to {options.out}: peak-fronts.json. As in docs/peak.md:")
    for line in (*lines(rows), *lines_of_batch(batches)):
        console.print(line, markup=False)
    return 0


def behind(setup: Setup, fronts: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of fronts with the same throttles, in their order; the stage's is opened to that of a new account."""
    opened = replace(setup, front_name=fronts[0])
    if opened.front.account_rate is not None:
        opened = replace(opened, rate=opened.front.account_rate, burst=opened.front.account_burst)
    found = list(steps(opened))
    latest_s = max(float(step.requests.duration_s.max()) for step in found)
    assert latest_s < min(FRONTS[front].timeout_s for front in fronts), latest_s
    return [_row(front, step) for front in fronts for step in found]


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The rows of the page's table of the API."""
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


def _row(front: str, step: Step) -> dict[str, Any]:
    setup = replace(step.setup, front_name=front)
    figures = whole(setup, step.requests)
    assert figures.latency_ms is not None
    return {
        "front": front,
        "arch": setup.arch,
        "held": step.held,
        "concurrency": setup.limit,
        "account_rate": setup.account_rate or setup.front.account_rate,
        "provisioned": setup.provisioned,
        "retries": setup.retries,
        "throttled_share": round(figures.throttled_share, 5),
        "p50_ms": figures.latency_ms[0],
        "p99_ms": figures.latency_ms[2],
        "cold_starts": figures.cold_starts,
        "environments": figures.environments,
        "usd": round(figures.total_usd, 2),
    }
