"""The phrases that CONTRIBUTING.md bans occur neither in the product's source nor in its documents."""

import re
from pathlib import Path

import pytest

from tests.support.pages import PAGES, ROOT, blocks, text_of
from tests.support.sources import TREES

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
BANNED = blocks(CONTRIBUTING, "text")[0].splitlines()
FILES = [
    ROOT / "app.py",
    ROOT / "Makefile",
    *(path for tree in TREES for path in sorted((ROOT / tree).rglob("*.py"))),
    *sorted(path for kind in ("html", "css", "js") for path in (ROOT / "chalicelib").rglob(f"*.{kind}")),
    *PAGES,
]


def found(text: str, phrases: list[str] = BANNED) -> list[str]:
    """`line: phrase` for each one, also where it is spread over two lines, of comments too."""
    some = "|".join(re.sub(r"\s+", r"(?:\\s|#)+", re.escape(phrase).replace(r"\ ", " ")) for phrase in phrases)
    hits = re.finditer(rf"\b(?:{some})\b", text, re.I)
    return [f"{text.count(chr(10), 0, hit.start()) + 1}: {hit[0]!r}" for hit in hits]


def without_the_list(path: Path) -> str:
    text = text_of(path)
    return text.replace("\n".join(BANNED), "\n" * (len(BANNED) - 1)) if path == CONTRIBUTING else text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_banned_phrase(path: Path) -> None:
    assert found(without_the_list(path)) == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a picture\nthat is none", ["2: 'that is none'"]),
        ("# what this is\n# told\n", ["1: 'is\\n# told'"]),
        ("It has a room Of Its Own.", ["1: 'Of Its Own'"]),
        ("this is tolder, of its ownership, and that is nonetheless fine", []),
    ],
)
def test_what_is_found(text: str, lines: list[str]) -> None:
    assert found(text, ["that is none", "is told", "of its own"]) == lines
