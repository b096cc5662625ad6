"""The report's figures as charts: who answered, how well, how fast, how alike."""

import math
from collections.abc import Mapping
from typing import Any

from chalicelib.workflow.report import charts
from chalicelib.workflow.report.charts import Scale
from chalicelib.workflow.report.markup import Markup, element, joined
from chalicelib.workflow.report.wording import chance, milliseconds, percent, share

Report = Mapping[str, Any]
KINDS = {"A": "arm-a", "B": "arm-b"}
_OUTCOMES = {"own": "by its own model", "fallbacks": "by the other one, a fallback", "failed": "failed"}


def drawn(report: Report) -> Markup:
    """All charts that the figures are enough for."""
    cards = [_split(report), _outcomes(report), _accuracy(report), _difference(report)]
    cards += [
        _times(report, "inference_ms", "Inference"),
        _times(report, "total_ms", "Answer, fetching and decoding included"),
    ]
    cards.append(_agreement(report))
    return element("div", *(card for card in cards if card), class_="charts")


def _card(title: str, rows: list[Markup], *below: Markup) -> Markup:
    return element("section", element("h2", title), *rows, *below)


def _row(name: str, chart: Markup, value: str) -> Markup:
    mark = element("b", name, class_=KINDS.get(name))
    return element("div", mark, chart, element("span", value, class_="value"), class_="row")


def _axis(low: str, high: str) -> Markup:
    return element("div", element("span", low), element("span", high), class_="axis", aria_hidden="true")


def _legend(kinds: Mapping[str, str]) -> Markup:
    keys = []
    for kind, name in kinds.items():
        square = element(
            "svg", element("rect", class_=kind, width=11, height=11, rx=2), width=11, height=11, aria_hidden="true"
        )
        keys.append(element("span", square, name))
    return element("div", joined(keys), class_="legend")


def _split(report: Report) -> Markup | None:
    split = report["split"]
    if split["seen_b"] is None:
        return None
    says = f"{percent(split['seen_b'])} of the images in arm B, {percent(split['expected_b'])} expected"
    bar = charts.stack([("arm-a", 1 - split["seen_b"]), ("arm-b", split["seen_b"])], says, 1 - split["expected_b"])
    verdict = "within chance" if split["within_chance"] else "more than chance explains"
    row = element("div", bar)
    note = element("p", f"{says} (upright line): {verdict}, {chance(split['p'])}.", class_="small soft")
    return _card("The split", [row], _legend({"arm-a": "A", "arm-b": "B"}), note)


def _outcomes(report: Report) -> Markup:
    rows = []
    for name, arm in report["arms"].items():
        seen = {outcome: arm[outcome] for outcome in _OUTCOMES if arm[outcome]}
        words = ", ".join(f"{count:,} {_OUTCOMES[outcome]}" for outcome, count in seen.items()) or "no images"
        parts = [
            (KINDS[name] if outcome == "own" else outcome, count / arm["images"]) for outcome, count in seen.items()
        ]
        rows.append(_row(name, charts.stack(parts, f"{name}: {words}"), words))
    others = {outcome: _OUTCOMES[outcome] for outcome in ("fallbacks", "failed") if report["counts"][outcome]}
    return _card("Who answered", rows, _legend(others))


def _accuracy(report: Report) -> Markup | None:
    known = {name: arm["accuracy"] for name, arm in report["arms"].items() if arm["accuracy"]}
    if not known:
        return None
    scale = _zoomed(min(figures["low"] for figures in known.values()))
    rows = [_interval_row(name, scale, KINDS[name], figures) for name, figures in known.items()]
    return _card("Accuracy, with its 95% interval", rows, _axis(percent(scale.low), percent(scale.high)))


def _agreement(report: Report) -> Markup | None:
    agreement = report["agreement"]
    if not agreement:
        return None
    scale = _zoomed(agreement["low"])
    row = _interval_row("", scale, "neutral", agreement)
    return _card("Same answer from both, with its 95% interval", [row], _axis(percent(scale.low), percent(scale.high)))


def _interval_row(name: str, scale: Scale, kind: str, figures: Mapping[str, float]) -> Markup:
    words = share(figures)
    return _row(
        name, charts.interval(scale, kind, figures["low"], figures["share"], figures["high"], f"{name} {words}"), words
    )


def _zoomed(low: float) -> Scale:
    """From below `low`, by steps of five points, to 1."""
    return Scale(max(0.0, math.floor(20 * low) / 20), 1.0)


def _difference(report: Report) -> Markup | None:
    accuracy, margin = report["accuracy"], report["assumed"]["margin"]
    if not accuracy:
        return None
    reach = max(2 * margin, math.ceil(100 * max(-accuracy["low"], accuracy["high"])) / 100)
    scale = Scale(-reach, reach)
    between = f"{_points(accuracy['low'])} to {_points(accuracy['high'])}"
    words = f"{_points(accuracy['difference'])} points ({between}), {chance(accuracy['p'])}"
    marks = [charts.band(scale, -margin, margin), charts.mark(scale, 0)]
    chart = charts.interval(scale, "neutral", accuracy["low"], accuracy["difference"], accuracy["high"], words, marks)
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


def _times(report: Report, which: str, title: str) -> Markup | None:
    known = {name: arm[which] for name, arm in report["arms"].items() if arm[which]}
    if not known:
        return None
    scale = Scale(0.0, max(figures["p95"] for figures in known.values()) or 1.0)
    rows = []
    for name, figures in known.items():
        words = f"{milliseconds(figures['p50'])} median, {milliseconds(figures['p95'])} 95th percentile"
        rows.append(
            _row(name, charts.span(scale, KINDS[name], figures["p50"], figures["p95"], f"{name}: {words}"), words)
        )
    return _card(title, rows, _axis("0 ms", milliseconds(scale.high)))
