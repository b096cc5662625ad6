"""What docs/peak.md states follows from docs/peak.json, and that from the model."""

import json
import re
from typing import Any

import pytest

from benchmarks.peak.durations import measured
from benchmarks.peak.every_front import lines, lines_of_batch
from benchmarks.peak.limits import STAGE_BURST, STAGE_RATE
from benchmarks.peak.periods import whole
from benchmarks.peak.setup import Load, Setup
from benchmarks.peak.simulation import simulate
from layers.deploy.resources import read_resources
from tests.support.pages import DOCS, ROOT, text_of

PAGE = text_of(DOCS / "peak.md")
STATED: dict[str, Any] = json.loads(text_of(DOCS / "peak.json"))


@pytest.mark.parametrize("line", [*lines(STATED["fronts"]), *lines_of_batch(STATED["batch"])])
def test_each_row(line: str) -> None:
    assert line in PAGE.splitlines()


def test_no_other_row() -> None:
    rows = re.findall(r"^\| (?:REST API|HTTP API|function URL|x86_64|arm64) \|.*$", PAGE, re.M)
    assert sorted(rows) == sorted([*lines(STATED["fronts"]), *lines_of_batch(STATED["batch"])])


def test_the_model_still_says_so() -> None:
    """Of one row; if it fails, `make peak ARGS=--every-front` writes build/peak/peak-fronts.json anew."""
    row = next(row for row in STATED["fronts"] if (row["front"], row["arch"], row["retries"]) == ("url", "x86_64", 0))
    assert (row["concurrency"], row["provisioned"]) == (1000, 0)
    setup = Setup(
        Load(STATED["per_minute"], STATED["minutes"]),
        measured(DOCS / "tune.json", "inception_v3", 1769, "x86_64"),
        1769,
        "x86_64",
        front_name="url",
    )
    found = whole(setup, simulate(setup))
    assert found.latency_ms is not None
    assert (round(found.throttled_share, 5), round(found.total_usd, 2)) == (row["throttled_share"], row["usd"])
    assert (found.latency_ms[0], found.latency_ms[2]) == (row["p50_ms"], row["p99_ms"])


@pytest.mark.parametrize("front", ["rest", "http"])
def test_the_stages_throttle_is_the_templates(front: str) -> None:
    parameters = read_resources(ROOT / ".chalice" / "fronts" / f"{front}.json")["Parameters"]
    found = tuple(parameters[name]["Default"] for name in ("RequestsPerSecond", "RequestBurst"))
    assert found == (STAGE_RATE, STAGE_BURST)
