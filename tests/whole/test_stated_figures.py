"""The milliseconds and dollars that README.md and docs/costs.md state follow from the measurements in docs/*.json."""

import json
import re
from typing import Any

import pytest

from benchmarks.tune.prices import USD_PER_CALL
from chalicelib.config import MEMORY_MB_PER_VCPU
from chalicelib.pricing import cost_usd
from convert.modes import MODES
from tests.support.pages import DOCS, ROOT, text_of

README, COSTS = text_of(ROOT / "README.md"), text_of(DOCS / "costs.md")
LOGS_USD = 0.39
"""For a million requests; test_stated_costs.py computes it from a log line."""
ACCESS_LOG_USD = {"HTTP API": 0.06}
"""The same of a front's access log."""
FRONTS_USD = {front: 1e6 * usd + ACCESS_LOG_USD.get(front, 0.0) for front, usd in USD_PER_CALL.items()}
REACHED = 0.7
"""The share of the SIMD pipelines' limit that bounds the estimate for arm64 from above."""


def measured(name: str) -> Any:
    return json.loads(text_of(DOCS / f"{name}.json"))


def million(duration_ms: float, architecture: str) -> float:
    return 1_000_000 * cost_usd(duration_ms, MEMORY_MB_PER_VCPU, architecture)


def at_least_ms(mode: str) -> float:
    return float(measured("arm64")["instructions"][mode]["simd_ms"])


def on_avx2_ms(mode: str, threads: int = 1) -> float:
    rows = measured("bench")["networks"]["inception_v3"]["rows"]["avx2"]
    return float(rows[f"LiteRT {mode}"]["fastest_ms"][str(threads)])


def whole_answer() -> Any:
    """Inception v3, dynamic, one vCPU, one thread."""
    rows = measured("tune")["bundles"]["inception_v3"]["rows"]
    return next(row for row in rows if (row["memory_mb"], row["threads"]) == (MEMORY_MB_PER_VCPU, 1))


def estimated_whole_ms() -> tuple[float, float]:
    rest_ms = whole_answer()["warm_ms"] - whole_answer()["inference_ms"]
    return at_least_ms("dynamic") + rest_ms, at_least_ms("dynamic") / REACHED + rest_ms


@pytest.mark.parametrize("mode", MODES)
def test_one_inference(mode: str) -> None:
    arm64, avx2 = at_least_ms(mode), on_avx2_ms(mode)
    dollars = f"{million(arm64, 'arm64'):.2f}", f"{million(avx2, 'x86_64'):.2f}"
    cells = rf"{arm64:.0f} ms\W* \| \W*\${dollars[0]}\W* \| \W*{avx2:.1f} ms\W* \| \W*\${dollars[1]}\W* \|$"
    assert re.search(rf"^\| \W*{mode}\W.*\| \W*{cells}", README, re.M)
    assert f"| {mode} | {arm64:.0f} | {dollars[0]} | {avx2:.1f} | {dollars[1]} |" in COSTS


def test_two_threads() -> None:
    stated = re.search(r"Two threads on two vCPUs take ([\d., and\n]+) ms on AVX2", COSTS)
    assert stated
    assert re.findall(r"[\d.]+", stated[1]) == [f"{on_avx2_ms(mode, 2):.1f}" for mode in MODES]


def test_the_upper_end_of_the_estimate() -> None:
    dollars = [f"${million(at_least_ms(mode) / REACHED, 'arm64'):.2f}" for mode in ("int8", "dynamic")]
    assert f"If they are busy 70% of the time, int8 costs {dollars[0]} and dynamic {dollars[1]}" in " ".join(
        README.split()
    )


def test_counted_instructions() -> None:
    for mode, counts in measured("arm64")["instructions"].items():
        assert f"| {mode} | {counts['all'] / 1e9:.3f} | {counts['simd'] / 1e9:.3f} | " in COSTS


@pytest.mark.parametrize("front", USD_PER_CALL)
def test_a_million_predictions_by_front(front: str) -> None:
    row = next(line for line in COSTS.splitlines() if line.startswith(f"| {front} ("))
    low, high, avx2 = (
        million(ms, kind) + LOGS_USD + FRONTS_USD[front]
        for ms, kind in zip(
            (*estimated_whole_ms(), whole_answer()["warm_ms"]), ("arm64", "arm64", "x86_64"), strict=True
        )
    )
    own = f"${1e6 * USD_PER_CALL[front]:.2f} | ${ACCESS_LOG_USD.get(front, 0.0):.2f}"
    assert row.endswith(f"| {own} | ${low:.2f} to ${high:.2f} | ${avx2:.2f} |")


def test_a_million_predictions() -> None:
    least, most = (million(ms, "arm64") for ms in estimated_whole_ms())
    avx2 = million(whole_answer()["warm_ms"], "x86_64")
    assert f"| ${least:.2f} to ${most:.2f} | ${avx2:.2f} |" in README
    for front, fee in FRONTS_USD.items():
        low, high, measured_usd = (usd + LOGS_USD + fee for usd in (least, most, avx2))
        row = next(line for line in README.splitlines() if line.startswith("|") and front in line and "$" in line)
        assert f"${low:.2f} to ${high:.2f}" in row
        assert f"${measured_usd:.2f}" in row
    low, high, on_avx2 = (round(1e6 / (usd + LOGS_USD), -3) for usd in (most, least, avx2))
    assert f"| **{low:,.0f} to {high:,.0f}** | **{on_avx2:,.0f}** |" in README
