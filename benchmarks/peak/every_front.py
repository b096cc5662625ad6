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
        batches[arch] = [{"workers": one.workers, "last_s": one.last_s, "usd": one.usd} for one in queued]
        for front in FRONTS:
            found = list(steps(_opened(replace(setup, front_name=front))))
            console.print(f"{FRONTS[front].name}, {arch}")
            console.print(of_steps(found))
            rows += _rows(front, arch, found)
        console.print(of_batch(queued, found))
    options.out.mkdir(parents=True, exist_ok=True)
    written = {"per_minute": options.per_minute, "minutes": options.minutes, "fronts": rows, "batch": batches}
    (options.out / "peak-fronts.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    console.print(f"Written to {options.out}: peak-fronts.json")
    return 0


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
