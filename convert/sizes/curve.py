"""The sizes as a picture: agreement and accuracy over the time of one inference. SVG, which needs no library."""

from collections.abc import Callable, Iterator, Sequence
from html import escape

from convert.sizes.comparison import Comparison, Measured

WIDTH, HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 40, 60, 90
_AGREEMENT, _ACCURACY, _GREY = "#1f5fa8", "#c8500a", "#666666"
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_MOST_LINES = 6
Place = Callable[[float, float], tuple[float, float]]


def svg(compared: Comparison, min_agreement: float) -> str:
    """An SVG file: a point for each size, the recommended one ringed, `min_agreement` as a dashed line."""
    low, step = _scale(compared.rows, min_agreement)
    most = 1.08 * max(row.ms for row in compared.rows)

    def place(ms: float, share: float) -> tuple[float, float]:
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * ms / most
        return x, _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - share) / (1 - low)

    parts = [*_frame(compared, place, most, low, step), *_limit(place, most, min_agreement)]
    parts += _series("same class", [(row, row.agreement) for row in compared.rows], _AGREEMENT, place)
    accuracy = [(row, row.accuracy) for row in compared.rows if row.accuracy is not None]
    parts += _series("accuracy", accuracy, _ACCURACY, place)
    x, y = place(compared.best.ms, compared.best.agreement)
    parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="10" fill="none" stroke="black" stroke-width="1.5"/>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="13" role="img">\n{body}\n</svg>\n'
    )


def _scale(rows: Sequence[Measured], min_agreement: float) -> tuple[float, float]:
    """The lowest share that is drawn, and the distance between two lines, such that there are few lines."""
    shares = [row.agreement for row in rows] + [row.accuracy for row in rows if row.accuracy is not None]
    lowest = max(0.0, min(*shares, min_agreement) - 0.01)
    step = next((one for one in _STEPS if (1 - lowest) / one <= _MOST_LINES), _STEPS[-1])
    return round(int(lowest / step) * step, 4), step


def _frame(compared: Comparison, place: Place, most: float, low: float, step: float) -> Iterator[str]:
    own, best = "x".join(map(str, compared.own)), compared.best
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    title = f"{best.card.name}: answers at other sizes of pictures, against {own}"
    yield _text(WIDTH / 2, 22, title, anchor="middle", size=15)
    for i in range(round((1 - low) / step) + 1):
        share = 1 - i * step
        (left, y), (right, _) = place(0, share), place(most, share)
        yield f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}" stroke="#dddddd"/>'
        yield _text(left - 8, y + 4, f"{share:.0%}", anchor="end")
    for row in compared.rows:
        x, y = place(row.ms, low)
        yield f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x:.1f}" y2="{y + 5:.1f}" stroke="{_GREY}"/>'
        yield _text(x, y + 19, f"{row.ms:.1f}", anchor="middle", size=11)
        yield _text(x, y + 34, f"${row.usd_per_million:.2f}", anchor="middle", size=11, colour=_GREY)
    x, y = place(most / 2, low)
    yield _text(x, y + 56, "one inference on one thread, ms; dollars of a million", anchor="middle")
    yield _text(x, y + 74, f"recommended: {best.name}, ringed", anchor="middle", colour=_GREY)


def _limit(place: Place, most: float, min_agreement: float) -> Iterator[str]:
    (left, y), (right, _) = place(0, min_agreement), place(most, min_agreement)
    yield f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}" stroke="{_GREY}" stroke-dasharray="5 4"/>'
    yield _text(left + 4, y - 5, "--min-agreement", size=11, colour=_GREY)


def _series(name: str, points: Sequence[tuple[Measured, float]], colour: str, place: Place) -> Iterator[str]:
    if not points:
        return
    places = [(row, *place(row.ms, share)) for row, share in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for _, x, y in places)
    yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
    is_above = name == "same class"
    for row, x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
        if is_above:
            yield _text(x, y - 12, row.name.partition("x")[0], anchor="middle", size=11)
    _, x, y = places[0]
    yield _text(x, y + (34 if is_above else 20), name, anchor="middle", colour=colour)


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 13, colour: str = "black") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
    )
