"""How long INIT, first and warm requests take: from docs/tune.json, and for arm64 estimated with docs/arm64.json."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from benchmarks.tune.bundles import MADE
from localaws.processor.share import MEMORY_MB_PER_VCPU

DOCS = Path(__file__).parents[2] / "docs"
REACHED = 0.7
"""Share of the SIMD pipelines' limit that is assumed to be reached on arm64, as in docs/costs.md (the upper end)."""
QUANTILES = 1000
_BLOCK = 1 << 16


class UnknownTimes(Exception):
    """Nothing was measured for this bundle, memory size or architecture."""


@dataclass(frozen=True)
class Durations:
    """Equally likely values, in s: arrays of any length, at least one each."""

    init_s: np.ndarray
    first_s: np.ndarray
    """The first request of an environment, after INIT; it loads the model."""
    warm_s: np.ndarray

    @classmethod
    def around(cls, init_ms: float, first_ms: float, warm_ms: float, warm_p90_ms: float) -> "Durations":
        """Log-normal around the medians. INIT and first spread as warm requests, of which the p90 is known."""
        sigma = np.log(warm_p90_ms / warm_ms) / NormalDist().inv_cdf(0.9)
        normal = [NormalDist().inv_cdf((index + 0.5) / QUANTILES) for index in range(QUANTILES)]
        spread = np.exp(sigma * np.array(normal)) / 1000
        return cls(init_ms * spread, first_ms * spread, warm_ms * spread)


def draws(values: np.ndarray, rng: np.random.Generator) -> Iterator[float]:
    """An endless sequence of values, each drawn independently."""
    while True:
        yield from values[rng.integers(len(values), size=_BLOCK)].tolist()


def measured(tune: Path, bundle: str, memory_mb: int, arch: str) -> Durations:
    """The times of a bundle, with the number of threads that is fastest at this memory size.

    Raises UnknownTimes, or OSError if `tune` cannot be read.
    """
    rows = _rows(tune, bundle, memory_mb)
    if arch == "x86_64":
        row = min(rows, key=lambda one: one["warm_ms"])
        return Durations.around(row["init_ms"], row["first_ms"], row["warm_ms"], row["warm_p90_ms"])
    if memory_mb != MEMORY_MB_PER_VCPU or bundle not in MADE:
        given = f"--bundle {bundle} --memory-mb {memory_mb} --arch {arch}: arm64 is estimated for {' and '.join(MADE)}"
        raise UnknownTimes(f"{given} at {MEMORY_MB_PER_VCPU} MB only; choose these, or --arch x86_64")
    row = next(one for one in rows if one["threads"] == 1)
    other_ms = _arm64_ms(MADE[bundle]) - row["inference_ms"]
    warm_ms = row["warm_ms"] + other_ms
    spread = row["warm_p90_ms"] / row["warm_ms"]
    return Durations.around(row["init_ms"], row["first_ms"] + other_ms, warm_ms, warm_ms * spread)


def _rows(tune: Path, bundle: str, memory_mb: int) -> list[Mapping[str, Any]]:
    bundles = json.loads(tune.read_text(encoding="utf-8"))["bundles"]
    if bundle not in bundles:
        raise UnknownTimes(f"--bundle {bundle}: not in {tune}; choose one of {', '.join(bundles)}, or run make tune")
    rows = [row for row in bundles[bundle]["rows"] if row["memory_mb"] == memory_mb]
    if not rows:
        sizes = ", ".join(str(size) for size in sorted({row["memory_mb"] for row in bundles[bundle]["rows"]}))
        raise UnknownTimes(f"--memory-mb {memory_mb}: {bundle} was not measured at it; choose one of {sizes}")
    return rows


def _arm64_ms(mode: str) -> float:
    """One inference on Graviton2, estimated."""
    counts = json.loads((DOCS / "arm64.json").read_text(encoding="utf-8"))["instructions"]
    return float(counts[mode]["simd_ms"]) / REACHED
