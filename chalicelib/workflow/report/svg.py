"""The shapes of a chart as inline SVG. Places are percentages of the width, so that a chart fits any screen.

A value has the unit of its chart's `Scale`. `kind` is the CSS class of a shape, `says` the label for screen readers.
"""

from collections.abc import Iterable
from typing import NamedTuple

from chalicelib.workflow.report.markup import Markup, element, joined

HEIGHT_PX = 22
_MIDDLE = HEIGHT_PX / 2


class Scale(NamedTuple):
    """The values at the left and the right edge, both in the chart's unit: milliseconds, or a share from -1 to 1."""

    low: float
    high: float

    def at(self, value: float) -> str:
        """A value's place, as a percentage of the width; a value beyond an edge is drawn on it."""
        share = (value - self.low) / (self.high - self.low)
        return f"{100 * min(1.0, max(0.0, share)):.2f}%"


def stack(parts: Iterable[tuple[str, float]], says: str, expected: float | None = None) -> Markup:
    """A bar of pieces side by side, each its kind and its share, 0 to 1; a line marks the share `expected`."""
    pieces, start = [], 0.0
    for kind, share in parts:
        if share > 0:
            pieces.append(_rect(kind, start, share))
            start += share
    return _chart(says, pieces if expected is None else [*pieces, mark(Scale(0, 1), expected)])


def interval(
    scale: Scale, kind: str, low: float, value: float, high: float, says: str, marks: Iterable[Markup] = ()
) -> Markup:
    """A dot at `value` and a line from `low` to `high`, all three in the scale's unit; `marks` lie below them."""
    line = element("line", class_=kind, x1=scale.at(low), x2=scale.at(high), y1=_MIDDLE, y2=_MIDDLE)
    dot = element("circle", class_=kind, cx=scale.at(value), cy=_MIDDLE, r=6)
    return _chart(says, [_track(), *marks, line, dot])


def span(scale: Scale, kind: str, low: float, high: float, says: str) -> Markup:
    """A dot at `low`, a tick at `high` and a line between, in the scale's unit: a median and its 95th percentile."""
    line = element("line", class_=kind, x1=scale.at(low), x2=scale.at(high), y1=_MIDDLE, y2=_MIDDLE)
    dot = element("circle", class_=kind, cx=scale.at(low), cy=_MIDDLE, r=6)
    return _chart(says, [_track(), line, _upright(kind, scale.at(high)), dot])


def mark(scale: Scale, value: float) -> Markup:
    """An upright line at `value`, in the scale's unit, for comparison."""
    return _upright("mark", scale.at(value))


def band(scale: Scale, low: float, high: float) -> Markup:
    """A shaded range from `low` to `high`, in the scale's unit, for comparison."""
    width = float(scale.at(high)[:-1]) - float(scale.at(low)[:-1])
    return element("rect", class_="band", x=scale.at(low), width=f"{width:.2f}%", y=0, height=HEIGHT_PX)


def _chart(says: str, shapes: list[Markup]) -> Markup:
    return element("svg", joined(shapes), role="img", aria_label=says, width="100%", height=HEIGHT_PX)


def _rect(kind: str, start: float, share: float) -> Markup:
    return element("rect", class_=kind, x=f"{100 * start:.2f}%", width=f"{100 * share:.2f}%", y=3, height=HEIGHT_PX - 6)


def _track() -> Markup:
    return element("line", class_="track", x1="0%", x2="100%", y1=_MIDDLE, y2=_MIDDLE)


def _upright(kind: str, x: str) -> Markup:
    return element("line", class_=f"{kind} tick", x1=x, x2=x, y1=3, y2=HEIGHT_PX - 3)
