"""The report's charts: the split, who answered, accuracy, times, agreement."""

import math
from collections.abc import Iterable, Mapping
from typing import Literal

from chalicelib.split import Arm
from chalicelib.workflow.report import svg
from chalicelib.workflow.report.markup import Markup, element, joined
from chalicelib.workflow.report.svg import Scale
from chalicelib.workflow.report.types import Figures, ShareFigures
from chalicelib.workflow.report.wording import chance, milliseconds, percent, share

KINDS: Mapping[Arm, str] = {"A": "arm-a", "B": "arm-b"}
_OUTCOMES: Mapping[Literal["own", "fallbacks", "failed"], str] = {
    "own": "by its own model",
    "fallbacks": "by the other one, a fallback",
    "failed": "failed",
}


_OTHERS: tuple[Literal["fallbacks"], Literal["failed"]] = ("fallbacks", "failed")


def drawn(figures: Figures) -> Markup:
    """Every chart for which there are figures."""
    cards = [_split(figures), _outcomes(figures), _accuracy(figures), _difference(figures)]
    cards += [
        _times(figures, "inference_ms", "Inference"),
        _times(figures, "total_ms", "Answer, fetching and decoding included"),
    ]
    cards.append(_agreement(figures))
    return element("div", *(card for card in cards if card), class_="charts")


def _card(title: str, rows: list[Markup], *below: Markup) -> Markup:
    return element("section", element("h2", title), *rows, *below)


def _row(name: Arm | Literal[""], chart: Markup, value: str) -> Markup:
    mark = element("b", name, class_=KINDS[name] if name else None)
    return element("div", mark, chart, element("span", value, class_="value"), class_="row")


def _axis(low: str, high: str) -> Markup:
    return element("div", element("span", low), element("span", high), class_="axis", aria_hidden="true")


def _legend(kinds: Iterable[tuple[str, str]]) -> Markup:
    keys = []
    for kind, name in kinds:
        square = element(
            "svg", element("rect", class_=kind, width=11, height=11, rx=2), width=11, height=11, aria_hidden="true"
        )
        keys.append(element("span", square, name))
    return element("div", joined(keys), class_="legend")


def _split(figures: Figures) -> Markup | None:
    split = figures["split"]
    if split["seen_b"] is None:
        return None
    says = f"{percent(split['seen_b'])} of the images in arm B, {percent(split['expected_b'])} expected"
    bar = svg.stack([("arm-a", 1 - split["seen_b"]), ("arm-b", split["seen_b"])], says, 1 - split["expected_b"])
    verdict = "within chance" if split["within_chance"] else "more than chance explains"
    row = element("div", bar)
    note = element("p", f"{says} (upright line): {verdict}, {chance(split['p'])}.", class_="small soft")
    return _card("The split", [row], _legend([("arm-a", "A"), ("arm-b", "B")]), note)


def _outcomes(figures: Figures) -> Markup:
    rows = []
    for name, arm in figures["arms"].items():
        seen = {outcome: arm[outcome] for outcome in _OUTCOMES if arm[outcome]}
        words = ", ".join(f"{count:,} {_OUTCOMES[outcome]}" for outcome, count in seen.items()) or "no images"
        parts = [
            (KINDS[name] if outcome == "own" else outcome, count / arm["images"]) for outcome, count in seen.items()
        ]
        rows.append(_row(name, svg.stack(parts, f"{name}: {words}"), words))
    others = [(outcome, _OUTCOMES[outcome]) for outcome in _OTHERS if figures["counts"][outcome]]
    return _card("Who answered", rows, _legend(others))


def _accuracy(figures: Figures) -> Markup | None:
    known = {name: found for name, arm in figures["arms"].items() if (found := arm["accuracy"])}
    if not known:
        return None
    scale = _zoomed(min(accuracy["low"] for accuracy in known.values()))
    rows = [_interval_row(name, scale, KINDS[name], accuracy) for name, accuracy in known.items()]
    return _card("Accuracy, with its 95% interval", rows, _axis(percent(scale.low), percent(scale.high)))


def _agreement(figures: Figures) -> Markup | None:
    agreement = figures["agreement"]
    if not agreement:
        return None
    scale = _zoomed(agreement["low"])
    row = _interval_row("", scale, "neutral", agreement)
    return _card("Same answer from both, with its 95% interval", [row], _axis(percent(scale.low), percent(scale.high)))


def _interval_row(name: Arm | Literal[""], scale: Scale, kind: str, found: ShareFigures) -> Markup:
    words = share(found)
    chart = svg.interval(scale, kind, found["low"], found["share"], found["high"], f"{name} {words}")
    return _row(name, chart, words)


def _zoomed(low: float) -> Scale:
    """A scale for shares, from the next multiple of 0.05 below `low` to 1."""
    return Scale(max(0.0, math.floor(20 * low) / 20), 1.0)


def _difference(figures: Figures) -> Markup | None:
    accuracy, margin = figures["accuracy"], figures["assumed"]["margin"]
    if not accuracy:
        return None
    reach = max(2 * margin, math.ceil(100 * max(-accuracy["low"], accuracy["high"])) / 100)
    scale = Scale(-reach, reach)
    between = f"{_points(accuracy['low'])} to {_points(accuracy['high'])}"
    words = f"{_points(accuracy['difference'])} points ({between}), {chance(accuracy['p'])}"
    marks = [svg.band(scale, -margin, margin), svg.mark(scale, 0)]
    chart = svg.interval(scale, "neutral", accuracy["low"], accuracy["difference"], accuracy["high"], words, marks)
    note = f"Within the band, {100 * margin:g} points to each side, the two count as the same."
    axis = _axis(f"{_points(-reach)}: A better", f"B better: {_points(reach)}")
    return _card(
        "Accuracy, B less A, with its 95% interval",
        [_row("", chart, words)],
        axis,
        element("p", note, class_="small soft"),
    )


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}".replace("-", "−")


def _times(figures: Figures, which: Literal["inference_ms", "total_ms"], title: str) -> Markup | None:
    known = {name: times for name, arm in figures["arms"].items() if (times := arm[which])}
    if not known:
        return None
    scale = Scale(0.0, max(times["p95"] for times in known.values()) or 1.0)
    rows = []
    for name, times in known.items():
        words = f"{milliseconds(times['p50'])} median, {milliseconds(times['p95'])} 95th percentile"
        rows.append(_row(name, svg.span(scale, KINDS[name], times["p50"], times["p95"], f"{name}: {words}"), words))
    return _card(title, rows, _axis("0 ms", milliseconds(scale.high)))
