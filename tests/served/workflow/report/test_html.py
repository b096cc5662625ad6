"""The report's page: what it says, that no text becomes markup, and how it looks in a browser."""

import dataclasses
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from chalicelib.split import Split
from chalicelib.workflow.report.build import build
from chalicelib.workflow.report.html import page
from chalicelib.workflow.report.markup import element, text
from chalicelib.workflow.report.row import Row
from tests.served.workflow.report.test_build import BROKEN, in_arm, report, rows

NASTY = "<script>alert(1)</script>\"'&amp;</style><!-- ]]> \u202e\x00\ud800 <img src=x onerror=alert(2)>"
REPORTS: dict[str, Any] = {
    "all": lambda: report(rows(2000, 0.97, 0.94, broken=0.02, fallbacks=0.1, shadow=0.2)),
    "same": lambda: report(rows(8000, shadow=0.1)),
    "few": lambda: report(rows(60, shadow=0.5)),
    "no labels": lambda: report(rows(500, labelled=False, shadow=0.2)),
    "nothing": lambda: report([]),
    "one arm": lambda: report(in_arm("A", 3, label="7", expected="7", total_ms=0.0, inference_ms=0.0)),
    "only failures": lambda: report(in_arm("A", 3, error=BROKEN) + in_arm("B", 3, error=BROKEN)),
    "foreign labels": lambda: report(dataclasses.replace(row, expected="n01440764") for row in rows(300)),
    "in groups": lambda: report(
        dataclasses.replace(row, because="Sandbox.Timedout" if row.fallback else None)
        for row in rows(900, fallbacks=0.2)
    ),
    "nasty": lambda: nasty(),
}


def nasty() -> dict[str, Any]:
    nasty_key = NASTY.replace("\ud800", "")  # S3's keys are UTF-8, labels come out of JSON
    split = Split(nasty_key, NASTY, "б" * 300, 0.5)
    given = []
    for number in range(40):
        key = f"{nasty_key}{number}/" + "x" * 900
        arm, label = split.arm(key), NASTY if number % 2 else "ok"
        given.append(Row(key, arm, NASTY, label, expected=NASTY, shadow_label="b", total_ms=1e9, inference_ms=1e-9))
    given.append(Row("e", "A", error={"Code": NASTY, "Message": NASTY}))
    return build(given, split, 1769, NASTY)


class Tags(HTMLParser):
    """Collects the elements and the names of attributes; asserts that elements close in order."""

    VOID = ("meta", "link")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


class TestMarkup:
    def test_text_and_attributes_are_escaped(self):
        made = element("td", '<b>"', title='"><script>')
        assert made == '<td title="&quot;&gt;&lt;script&gt;">&lt;b&gt;&quot;</td>'

    def test_markup_is_not_escaped_twice(self):
        assert element("p", element("b", "a & b"), class_="x") == '<p class="x"><b>a &amp; b</b></p>'

    @pytest.mark.parametrize("character", ["\0", "\x1b", "\x85", "\ud800", "\u202e", "\u2066", "\ufffe"])
    def test_characters_that_html_forbids(self, character):
        assert text(f"a{character}b") == "a\ufffdb"


class TestPage:
    @pytest.mark.parametrize("name", REPORTS)
    def test_it_is_well_formed_small_and_the_same_again(self, name):
        made = page(REPORTS[name]())
        parser = Tags()
        parser.feed(made)
        assert parser.open == []
        assert not parser.tags & {"script", "img", "iframe", "object", "form", "base"}
        assert not {name for name in parser.attributes if name.startswith("on") or name in ("src", "style")}
        assert re.findall(r'href="([^"]*)"', made) == ["data:,"]
        assert len(made.encode()) < 60_000
        assert page(REPORTS[name]()) == made

    def test_the_verdict_comes_first_and_every_count_is_there(self):
        made = report(rows(2000, 0.97, 0.94, broken=0.02, fallbacks=0.1, shadow=0.2))
        html = page(made)
        plain = re.sub(r"<[^>]+>", " ", html.partition("<body>")[2])
        shown = plain.replace("&#x27;", "'")
        assert shown.index(made["verdict"]["text"]) < shown.index("Images")
        for arm in made["arms"].values():
            for name in ("images", "own", "fallbacks", "failed"):
                assert f"{arm[name]:,}" in shown
            for times in (arm["inference_ms"], arm["total_ms"]):
                assert f"{times['p50']:.2f} ms" in shown and f"{times['p95']:.2f} ms" in shown
        assert "UnprocessableEntityError" in shown and "digits/" in shown
        assert "Cold starts" in shown and "Wilson" in shown

    def test_fallbacks_in_whole_groups_have_a_note(self):
        assert "Sandbox.Timedout" in page(REPORTS["in groups"]())
        assert "fallbacks came by whole groups" in page(REPORTS["in groups"]())
        assert "came by whole groups" not in page(REPORTS["all"]())

    @pytest.mark.parametrize(
        ("name", "tone"),
        [("all", "bad"), ("same", "good"), ("few", "open"), ("nothing", "bad"), ("foreign labels", "open")],
    )
    def test_the_verdicts_tone(self, name, tone):
        assert f'class="verdict {tone}"' in page(REPORTS[name]())
