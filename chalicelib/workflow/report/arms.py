"""The figures of one arm of the experiment."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from chalicelib.errors import SecondModelError
from chalicelib.pricing import cost_usd
from chalicelib.workflow.report.proportions import Share, wilson
from chalicelib.workflow.report.row import Row
from chalicelib.workflow.report.types import ArmFigures, Cost, ShareFigures, Times

SECOND_FAILED = SecondModelError.__name__
"""The reason of a fallback if model B itself failed, on one picture or on all of them."""


def is_own(row: Row) -> bool:
    """Whether the arm's own model answered: neither an error nor a fallback."""
    return row.error is None and not row.fallback


def describe(rows: Sequence[Row], memory_mb: int, architecture: str) -> ArmFigures:
    """The figures of one arm; `rows` are all of the arm's rows, one for each key."""
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


def in_whole_groups(arm: ArmFigures) -> int:
    """Fallbacks whose whole group fell back, as after a time-out: they say little about any one picture."""
    return sum(count for reason, count in arm["fallback_reasons"].items() if reason != SECOND_FAILED)


def unanswered(arm: ArmFigures) -> Share | None:
    """Share of the arm's pictures that its own model did not answer, not counting whole-group fallbacks.

    None if no others remain.
    """
    of = arm["images"] - in_whole_groups(arm)
    return Share(of - arm["own"], of) if of else None


def right_of(own: Iterable[Row]) -> Share | None:
    """Share of correct labels among own answers whose expected label is known; None if none is known."""
    known = [row for row in own if row.expected is not None]
    return Share(sum(row.label == row.expected for row in known), len(known)) if known else None


def share_figures(share: Share | None) -> ShareFigures | None:
    """A share and its 95% interval."""
    if share is None:
        return None
    low, high = wilson(share)
    return {
        "hits": share.hits,
        "of": share.of,
        "share": significant(share.value),
        "low": significant(low),
        "high": significant(high),
    }


def significant(value: float) -> float:
    """Rounded to five significant digits: further ones may differ between machines."""
    return float(f"{value:.5g}")


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the sorted `values` lie, interpolated between its two neighbours.

    A batch's `summary.json` takes nearest rank instead. Source: R. J. Hyndman, Y. Fan, The American Statistician 50
    (1996) 361, definition 7; NumPy's default.
    """
    place = (len(values) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def _times(values_ms: Iterable[float | None]) -> Times | None:
    known = sorted(value for value in values_ms if value is not None)
    if not known:
        return None
    return {"p50": round(quantile(known, 0.5), 3), "p95": round(quantile(known, 0.95), 3), "of": len(known)}


def _cost(rows: Iterable[Row], memory_mb: int, architecture: str) -> Cost | None:
    """The cost of the whole arm, fallbacks and failures too, as far as times are known."""
    costs = [cost_usd(row.total_ms, memory_mb, architecture) for row in rows if row.total_ms is not None]
    if not costs:
        return None
    usd = math.fsum(costs)  # exact, so that it does not depend on the order of the rows
    return {"usd": significant(usd), "usd_per_million": significant(usd / len(costs) * 1e6), "of": len(costs)}
