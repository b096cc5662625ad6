"""The result of a tuning: a row for each configuration, and the best rows for speed, for cost, and for both."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.tune.measure import Samples
from benchmarks.tune.plan import Configuration
from benchmarks.tune.prices import Cost

NOISE = 0.05
BALANCE = f"the smallest product of duration and cost, and the cheapest of those within {NOISE:.0%} of it"
"""Half the time is worth twice the money, and smaller differences are noise. The other sizes that were tried do not
matter. They do in AWS Lambda Power Tuning's strategy `balanced`, a weighted mean of shares of the largest."""


@dataclass(frozen=True)
class Row:
    """Medians of one configuration."""

    bundle: str
    memory_mb: int
    vcpus: float
    threads: int
    init_ms: float
    first_ms: float
    cold_billed_ms: int
    """INIT and the first request together, as billed since August 2025."""
    warm_ms: float
    warm_p90_ms: float
    inference_ms: float
    billed_ms: int
    """Of a warm request, in whole ms rounded up."""
    used_mb: int
    compute_usd_per_million: float
    """Memory times time."""
    usd_per_million: float
    """Compute and the fee for each request."""

    @property
    def per_dollar(self) -> int:
        """Predictions for a dollar of Lambda."""
        return round(1e6 / self.usd_per_million)

    @property
    def compute_per_dollar(self) -> int:
        """The same without the fee."""
        return round(1e6 / self.compute_usd_per_million)

    @property
    def product(self) -> float:
        """Duration times cost."""
        return self.warm_ms * self.usd_per_million

    @classmethod
    def of(cls, chosen: Configuration, samples: Samples, architecture: str = "x86_64") -> "Row":
        """The medians of at least one cold start and two warm requests."""
        cold_ms = [init + first for init, first in zip(samples.init_ms, samples.first_ms, strict=True)]
        warm_ms = [samples.warm_ms[index] for index in samples.quiet]
        inference_ms = [samples.inference_ms[index] for index in samples.quiet]
        billed_ms = math.ceil(statistics.median(warm_ms))
        cost = Cost.of(billed_ms, chosen.memory_mb, architecture)
        return cls(
            bundle=chosen.bundle,
            memory_mb=chosen.memory_mb,
            vcpus=round(chosen.vcpus, 2),
            threads=chosen.threads,
            init_ms=round(statistics.median(samples.init_ms), 1),
            first_ms=round(statistics.median(samples.first_ms), 1),
            cold_billed_ms=math.ceil(statistics.median(cold_ms)),
            warm_ms=round(statistics.median(warm_ms), 2),
            warm_p90_ms=round(statistics.quantiles(warm_ms, n=10)[-1], 2),
            inference_ms=round(statistics.median(inference_ms), 2),
            billed_ms=billed_ms,
            used_mb=samples.memory_mb,
            compute_usd_per_million=round(cost.compute_usd * 1e6, 4),
            usd_per_million=round(cost.lambda_usd * 1e6, 4),
        )


@dataclass(frozen=True)
class Outcome:
    """The result for one bundle."""

    bundle: str
    rows: tuple[Row, ...]
    left_out: Mapping[int, str]
    """Memory sizes that were not measured, and why."""

    @property
    def fastest(self) -> Row:
        """The shortest median of warm requests; of equal ones the cheapest."""
        return min(self.rows, key=lambda row: (row.warm_ms, row.usd_per_million))

    @property
    def cheapest(self) -> Row:
        """The least cost of a prediction; of equal ones the fastest."""
        return min(self.rows, key=lambda row: (row.usd_per_million, row.warm_ms))

    @property
    def balanced(self) -> Row:
        """The recommended row; see `BALANCE`."""
        smallest = min(row.product for row in self.rows)
        near = [row for row in self.rows if row.product <= smallest * (1 + NOISE)]
        return min(near, key=lambda row: (row.usd_per_million, row.warm_ms))

    def as_json(self) -> dict[str, Any]:
        """The bundle's part of `tune.json`."""
        best = {"speed": self.fastest, "cost": self.cheapest, "balance": self.balanced}
        return {
            "best": {name: {"memory_mb": row.memory_mb, "threads": row.threads} for name, row in best.items()},
            "rows": [{**asdict(row), "per_dollar": row.per_dollar} for row in self.rows],
            "left_out": {str(size): why for size, why in self.left_out.items()},
        }


def outcomes(samples: Mapping[Configuration, Samples], left_out: Mapping[int, str]) -> list[Outcome]:
    """The outcomes in the order of the bundles' names, without bundles that fit into no memory size."""
    bundles = sorted({chosen.bundle for chosen in samples})
    return [made for bundle in bundles if (made := _outcome(bundle, samples, left_out)).rows]


def _outcome(bundle: str, samples: Mapping[Configuration, Samples], left_out: Mapping[int, str]) -> Outcome:
    own: Sequence[tuple[Configuration, Samples]] = sorted(
        (item for item in samples.items() if item[0].bundle == bundle), key=lambda item: item[0]
    )
    unfit = {chosen.memory_mb: found.unfit for chosen, found in own if found.unfit is not None}
    rows = tuple(Row.of(chosen, found) for chosen, found in own if found.unfit is None)
    return Outcome(bundle, rows, {**unfit, **left_out})
