"""Figures as people read them."""

from collections.abc import Mapping
from typing import Any

DASH = "–"
"""Stands for what is not known."""


def percent(share: float | None) -> str:
    """0.123 as 12.3%; what is not all and not none is never rounded to it."""
    if share is None:
        return DASH
    if 0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1 else f"{100 * share:.1f}%"


def ratio(value: float | None) -> str:
    """How many times as much."""
    return DASH if value is None else f"{value:.2f}×"


def between(figures: Mapping[str, Any] | None) -> str:
    """The interval of a share."""
    return DASH if figures is None else f"{percent(figures['low'])} to {percent(figures['high'])}"


def share(figures: Mapping[str, Any] | None) -> str:
    """A share with its interval and of how many it is."""
    if figures is None:
        return DASH
    return f"{percent(figures['share'])} ({between(figures)}) of {figures['of']:,}"


def milliseconds(duration_ms: float) -> str:
    """A time, with two decimals where it is short."""
    return f"{duration_ms:.2f} ms" if duration_ms < 10 else f"{duration_ms:,.1f} ms"


def quantile(times: Mapping[str, float] | None, which: str) -> str:
    """One time of `{"p50", "p95", "of"}`."""
    return DASH if times is None else milliseconds(times[which])


def chance(p: float) -> str:
    """A p-value."""
    return f"p = {p:.2g}" if p >= 0.0001 else "p < 0.0001"
