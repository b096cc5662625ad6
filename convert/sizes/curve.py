"""The sizes as a picture: agreement and accuracy over the time of one inference. SVG, which needs no library."""

from collections.abc import Callable, Iterator, Sequence
from html import escape

from convert.sizes.comparison import Comparison, Measured

WIDTH, HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 30, 80, 80
_AGREEMENT, _ACCURACY, _GREY, _PALE = "#1f5fa8", "#c8500a", "#666666", "#dddddd"
_SHARE_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_MS_STEPS = tuple(digit * 10.0**power for power in range(-2, 5) for digit in (1, 2, 5))
_MOST_LINES = 7
Place = Callable[[float, float], tuple[float, float]]


def svg(compared: Comparison, min_agreement: float) -> str:
    """An SVG file: a point for each size, the recommended one ringed, `min_agreement` as a dashed line."""
    low, step = _scale(compared.rows, min_agreement)
    most = 1.08 * max(row.ms for row in compared.rows)

    def place(ms: float, share: float) -> tuple[float, float]:
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * ms / most
        return x, _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - share) / (1 - low)

    agreement = [(row, row.agreement) for row in compared.rows]
    accuracy = [(row, row.accuracy) for row in compared.rows if row.accuracy is not None]
    parts = [
        *_frame(compared, bool(accuracy)),
        *_lines(place, most, low, step),
        *_limit(place, most, min_agreement),
        *_series(agreement, _AGREEMENT, place),
        *_series(accuracy, _ACCURACY, place),
        *_names(compared.rows, place),
    ]
    x, y = place(compared.best.ms, compared.best.agreement)
    parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="none" stroke="black" stroke-width="1.5"/>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="13" role="img">\n{body}\n</svg>\n'
    )


def _scale(rows: Sequence[Measured], min_agreement: float) -> tuple[float, float]:
    """The lowest share that is drawn, and the distance between two lines."""
    shares = [row.agreement for row in rows] + [row.accuracy for row in rows if row.accuracy is not None]
    lowest = max(0.0, min(*shares, min_agreement) - 0.01)
    step = _step(1 - lowest, _SHARE_STEPS)
    return round(int(lowest / step) * step, 4), step


def _step(whole: float, steps: Sequence[float]) -> float:
    """The smallest distance that gives few lines."""
    return next((step for step in steps if whole / step <= _MOST_LINES), steps[-1])


def _frame(compared: Comparison, has_accuracy: bool) -> Iterator[str]:
    own, best = "x".join(map(str, compared.own)), compared.best
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    yield _text(WIDTH / 2, 24, f"{best.card.name}: smaller and larger pictures", anchor="middle", size=15)
    yield _text(_LEFT, 50, f"names the class that {own} names", colour=_AGREEMENT)
    if has_accuracy:
        yield _text(WIDTH - _RIGHT, 50, "names the right class", anchor="end", colour=_ACCURACY)
    yield _text(WIDTH / 2, HEIGHT - 36, "one inference on one thread, ms", anchor="middle")
    price = f"recommended, ringed: {best.name}, ${best.usd_per_million:.2f} for a million"
    yield _text(WIDTH / 2, HEIGHT - 14, price, anchor="middle", colour=_GREY)


def _lines(place: Place, most: float, low: float, step: float) -> Iterator[str]:
    (left, bottom), (right, _) = place(0, low), place(most, low)
    for i in range(round((1 - low) / step) + 1):
        _, y = place(0, share := 1 - i * step)
        yield f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}" stroke="{_PALE}"/>'
        yield _text(left - 8, y + 4, f"{share:.0%}", anchor="end")
    step = _step(most, _MS_STEPS)
    for i in range(int(most / step) + 1):
        x, _ = place(i * step, low)
        yield f'<line x1="{x:.1f}" y1="{bottom:.1f}" x2="{x:.1f}" y2="{bottom + 5:.1f}" stroke="{_GREY}"/>'
        yield _text(x, bottom + 19, f"{i * step:g}", anchor="middle")


def _limit(place: Place, most: float, min_agreement: float) -> Iterator[str]:
    (left, y), (right, _) = place(0, min_agreement), place(most, min_agreement)
    yield f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}" stroke="{_GREY}" stroke-dasharray="5 4"/>'
    yield _text(left + 4, y - 5, "--min-agreement", size=11, colour=_GREY)


def _series(points: Sequence[tuple[Measured, float]], colour: str, place: Place) -> Iterator[str]:
    places = [place(row.ms, share) for row, share in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'


def _names(rows: Sequence[Measured], place: Place) -> Iterator[str]:
    """Each size above its points: one number for a square."""
    for row in rows:
        x, y = place(row.ms, max(row.agreement, row.accuracy or 0.0))
        width, height = row.size
        yield _text(x, y - 13, str(width) if width == height else row.name, anchor="middle", size=11)


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 13, colour: str = "black") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
    )
