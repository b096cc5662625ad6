"""Figures as text for people."""

from typing import Literal

from chalicelib.workflow.report.types import ShareFigures, Times

DASH = "–"
"""Stands for an unknown figure."""


def percent(share: float | None) -> str:
    """0.123 as 12.3%. Only 0 is shown as 0.0%, and only 1 as 100.0%."""
    if share is None:
        return DASH
    if 0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1 else f"{100 * share:.1f}%"


def ratio(value: float | None) -> str:
    """A ratio, as 1.50×."""
    return DASH if value is None else f"{value:.2f}×"


def between(figures: ShareFigures | None) -> str:
    """The 95% interval of a share."""
    return DASH if figures is None else f"{percent(figures['low'])} to {percent(figures['high'])}"


def share(figures: ShareFigures | None) -> str:
    """A share, its 95% interval, and of how many pictures it is."""
    if figures is None:
        return DASH
    return f"{percent(figures['share'])} ({between(figures)}) of {figures['of']:,}"


def milliseconds(duration_ms: float) -> str:
    """A duration: two decimals below 10 ms, one above."""
    return f"{duration_ms:.2f} ms" if duration_ms < 10 else f"{duration_ms:,.1f} ms"


def quantile(times: Times | None, which: Literal["p50", "p95"]) -> str:
    """The median or the 95th percentile."""
    return DASH if times is None else milliseconds(times[which])


def chance(p: float) -> str:
    """A p-value."""
    return f"p = {p:.2g}" if p >= 0.0001 else "p < 0.0001"
