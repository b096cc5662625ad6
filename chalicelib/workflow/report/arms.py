"""One arm of the experiment in figures."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from chalicelib.errors import SecondModelError
from chalicelib.pricing import cost_usd
from chalicelib.workflow.report.row import Row
from chalicelib.workflow.report.statistics import Share, quantile, wilson

Figures = dict[str, Any]
SECOND_FAILED = SecondModelError.__name__
"""The reason of a fallback that is the model's own fault, picture by picture or for good."""


def is_own(row: Row) -> bool:
    """Whether the arm's own model answered: neither an error nor a fallback."""
    return row.error is None and not row.fallback


def describe(rows: Sequence[Row], memory_mb: int, architecture: str) -> Figures:
    """What `report.build` says of one arm; `rows` are the arm's, each key once."""
    own = [row for row in rows if is_own(row)]
    codes = Counter(str(row.error.get("Code", "unknown")) for row in rows if row.error is not None)
    failed = codes.total()
    reasons = Counter(row.because or SECOND_FAILED for row in rows if row.error is None and row.fallback)
    return {
        "images": len(rows),
        "answered": len(rows) - failed,
        "own": len(own),
        "fallbacks": reasons.total(),
        "fallback_reasons": dict(sorted(reasons.items())),
        "failed": failed,
        "failures": dict(sorted(codes.items())),
        "inference_ms": _times(row.inference_ms for row in own),
        "total_ms": _times(row.total_ms for row in own),
        "cost": _cost(rows, memory_mb, architecture),
        "accuracy": share_figures(right_of(own)),
    }


def in_whole_groups(arm: Figures) -> int:
    """Fallbacks for what ended a whole group, as a time-out does: they say little of any one picture."""
    return sum(count for reason, count in arm["fallback_reasons"].items() if reason != SECOND_FAILED)


def unanswered(arm: Figures) -> Share | None:
    """How many its own model left unanswered, but for fallbacks in whole groups; None: there is nothing else."""
    of = arm["images"] - in_whole_groups(arm)
    return Share(of - arm["own"], of) if of else None


def right_of(own: Iterable[Row]) -> Share | None:
    """How many got the label that they should get, of those where it is known; None: of none."""
    known = [row for row in own if row.expected is not None]
    return Share(sum(row.label == row.expected for row in known), len(known)) if known else None


def share_figures(share: Share | None) -> Figures | None:
    """A share and its 95% interval."""
    if share is None:
        return None
    low, high = wilson(share)
    return {
        "hits": share.hits,
        "of": share.of,
        "share": rounded(share.value),
        "low": rounded(low),
        "high": rounded(high),
    }


def rounded(value: float) -> float:
    """To five significant digits, so that a report's last digits are not those of one machine's arithmetic."""
    return float(f"{value:.5g}")


def _times(values: Iterable[float | None]) -> Figures | None:
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    return {"p50": round(quantile(known, 0.5), 3), "p95": round(quantile(known, 0.95), 3), "of": len(known)}


def _cost(rows: Iterable[Row], memory_mb: int, architecture: str) -> Figures | None:
    """The whole arm's, fallbacks and failures too, where a time is known."""
    costs = [cost_usd(row.total_ms, memory_mb, architecture) for row in rows if row.total_ms is not None]
    if not costs:
        return None
    usd = math.fsum(costs)  # exact, so that the order of rows does not show
    return {"usd": rounded(usd), "usd_per_million": rounded(usd / len(costs) * 1e6), "of": len(costs)}
