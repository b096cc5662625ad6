"""The report as one HTML page: no script, no request to any server, every text from outside escaped."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from chalicelib.split import ARMS
from chalicelib.workflow.report.charts import drawn
from chalicelib.workflow.report.markup import Markup, element, joined
from chalicelib.workflow.report.notes import notes
from chalicelib.workflow.report.types import ArmFigures, Kind, Report
from chalicelib.workflow.report.wording import DASH, between, percent, quantile, ratio

STYLE_FILE = Path(__file__).with_name("report.css")
_TONES: Mapping[Kind, str] = {"same": "good", "better": "good", "worse": "bad", "no_answer": "bad"}
_OF_WHAT = "Accuracy and times are of each arm's own model, the cost is the whole arm's."
_LINES: Mapping[str, Callable[[ArmFigures], str]] = {
    "Images": lambda arm: f"{arm['images']:,}",
    "Answered by its own model": lambda arm: f"{arm['own']:,}",
    "Fallbacks": lambda arm: f"{arm['fallbacks']:,}",
    "Failed": lambda arm: f"{arm['failed']:,}",
    "With a label that is known": lambda arm: f"{arm['accuracy']['of']:,}" if arm["accuracy"] else DASH,
    "Accuracy": lambda arm: percent(arm["accuracy"]["share"] if arm["accuracy"] else None),
    "Its 95% interval": lambda arm: between(arm["accuracy"]),
    "Inference, median": lambda arm: quantile(arm["inference_ms"], "p50"),
    "Inference, 95th percentile": lambda arm: quantile(arm["inference_ms"], "p95"),
    "Answer, median": lambda arm: quantile(arm["total_ms"], "p50"),
    "Answer, 95th percentile": lambda arm: quantile(arm["total_ms"], "p95"),
    "Cost of a million images": lambda arm: f"${arm['cost']['usd_per_million']:,.2f}" if arm["cost"] else DASH,
}


def page(report: Report) -> str:
    """The page of a report. The same report gives the same page."""
    style = STYLE_FILE.read_text(encoding="utf-8")
    head = [
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_policy(style)}">'),
        Markup('<link rel="icon" href="data:,">'),
        element("title", f"A/B report: {report['experiment']}"),
        element("style", Markup(style)),
    ]
    sections = [_verdict(report), _tiles(report), drawn(report), _table_of_arms(report)]
    sections += [_fallbacks(report), _failures(report), _differing(report), _notes(report)]
    main = element("main", *sections)
    document = element("html", element("head", joined(head)), element("body", _header(report), main), lang="en")
    return f"<!doctype html>\n{document}\n"


def _policy(style: str) -> str:
    """A policy that allows this style and nothing else. Source: Content Security Policy Level 3, "hash-source"."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _header(report: Report) -> Markup:
    models = (element("span", element("b", arm), " ", _apart(name)) for arm, name in report["models"].items())
    title = element("h1", "A/B report: ", _apart(report["experiment"]))
    return element("header", title, element("p", *models, class_="soft models"))


def _apart(content: str) -> Markup:
    """Text that may run from right to left without changing the direction of the text around it."""
    return element("bdi", content)


def _verdict(report: Report) -> Markup:
    tone = _TONES.get(report["verdict"]["kind"], "open")
    sentence = element("p", _apart(report["verdict"]["text"]))
    return element("section", element("h2", "Verdict"), sentence, class_=f"verdict {tone}")


def _tiles(report: Report) -> Markup:
    counts, split, agreement = report["counts"], report["split"], report["agreement"]
    tiles = [
        ("Images", f"{counts['images']:,}", f"{counts['answered']:,} answered, {counts['failed']:,} failed"),
        ("In arm B", percent(split["seen_b"]), f"{percent(split['expected_b'])} expected"),
        ("Answer, B to A", ratio(report["latency"]["total_ratio"]), "ratio of the medians"),
        ("Inference, B to A", ratio(report["latency"]["inference_ratio"]), "ratio of the medians"),
    ]
    if agreement:
        tiles.append(("Same answer", percent(agreement["share"]), f"of {agreement['of']:,} shadow images"))
    return element("dl", *(_tile(*tile) for tile in tiles), class_="tiles")


def _tile(name: str, value: str, note: str) -> Markup:
    return element("div", element("dt", name), element("dd", value), element("dd", note, class_="small"))


def _table_of_arms(report: Report) -> Markup:
    rows = [(name, *(say(report["arms"][arm]) for arm in ARMS)) for name, say in _LINES.items()]
    return element(
        "section", element("h2", "All figures"), _table(_OF_WHAT, ("Figure", "A", "B"), rows), class_="figures"
    )


def _failures(report: Report) -> Markup:
    caption = "Images that no model answered, by code."
    return _section_of("Failures", caption, ("Code", "A", "B"), _counted(report, "failures"))


def _fallbacks(report: Report) -> Markup:
    caption = "Images that the other model answered, by the error of the arm's own."
    return _section_of("Fallbacks", caption, ("Error", "A", "B"), _counted(report, "fallback_reasons"))


def _counted(report: Report, what: Literal["failures", "fallback_reasons"]) -> list[tuple[str, ...]]:
    arms = [report["arms"][arm] for arm in ARMS]
    names = sorted({name for arm in arms for name in arm[what]})
    return [(name, *(f"{arm[what].get(name, 0):,}" for arm in arms)) for name in names]


def _differing(report: Report) -> Markup:
    agreement = report["agreement"]
    if not agreement:
        return Markup()
    found = agreement["differing"]
    rows = [(row["key"], row["A"] or DASH, row["B"] or DASH, row["expected"] or DASH) for row in found]
    caption = f"{len(rows):,} of the {agreement['of'] - agreement['hits']:,} shadow images on which the models differ."
    return _section_of("Where they differ", caption, ("Image", "A", "B", "Expected"), rows)


def _section_of(title: str, caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    return element("section", element("h2", title), _table(caption, head, rows)) if rows else Markup()


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    heads = (element("th", name, scope="col") for name in head)
    lines = (
        element("tr", element("th", _apart(name), scope="row"), *(element("td", _apart(value)) for value in values))
        for name, *values in rows
    )
    return element(
        "table", element("caption", caption), element("thead", element("tr", *heads)), element("tbody", *lines)
    )


def _notes(report: Report) -> Markup:
    return element(
        "section", element("h2", "How to read this"), element("ul", *(element("li", note) for note in notes(report)))
    )
