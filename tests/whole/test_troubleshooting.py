"""Every message that the program can print leads somewhere in docs/troubleshooting.md."""

import re
from types import SimpleNamespace

import pytest

from chalicelib.api import health
from chalicelib.api.metrics import OF_WARNINGS
from tests.support.messages import PACKAGES, VARYING, Message, messages
from tests.support.pages import DOCS, ROOT, prose, section, text_of

PAGE = DOCS / "troubleshooting.md"
WITH_OTHERS = ("`make` stops", "Publishing or deploying stops", "What AWS itself says")
"""Sections that also quote programs which are not this project's."""
LEAST_LETTERS = 8


def letters(text: str) -> int:
    return len(re.findall(r"\w", text))


def patterns(text: str) -> list[str]:
    """What the first cells of the tables quote."""
    cells = re.findall(r"^\| (`.*?`) \| ", text, re.M)
    return [pattern for cell in cells for pattern in re.findall(r"`([^`]+)`", cell)]


def regex(pattern: str) -> re.Pattern[str]:
    """`...` stands for what varies."""
    return re.compile(".*".join(map(re.escape, pattern.split("..."))), re.S)


PATTERNS = patterns(prose(PAGE))


@pytest.mark.parametrize("message", messages(), ids=lambda message: message.where)
def test_every_message_leads_somewhere(message: Message) -> None:
    if letters(message.text) >= LEAST_LETTERS:  # shorter ones only hand on what another one says
        told = message.text.replace(VARYING, "...")
        assert any(regex(pattern).search(message.text) for pattern in PATTERNS), f"not in {PAGE.name}: {told}"


@pytest.mark.parametrize("code", OF_WARNINGS)
def test_every_warning_of_health_leads_somewhere(code: str) -> None:
    card, engine = SimpleNamespace(name="m", quantization="float32"), SimpleNamespace(name="litert")
    model = SimpleNamespace(card=card, engine=engine)
    warning = health.SENTENCES[code](model, ["asimddp"])  # type: ignore[arg-type]
    rows = section(PAGE, "`/health` warns")
    assert any(regex(pattern).search(warning) for pattern in patterns(rows)) and f"`{code}`" in rows


def test_no_row_is_left_of_a_message_that_is_gone() -> None:
    known = [message.text for message in messages()]
    sources = [ROOT / "app.py", *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))]
    whole = re.sub(r"\s+", " ", " ".join(map(text_of, sources)))
    others = {pattern for heading in WITH_OTHERS for pattern in patterns(section(PAGE, heading))}
    for pattern in set(PATTERNS) - others:
        literal = max(pattern.split("..."), key=len).strip()
        assert any(regex(pattern).search(text) for text in known) or literal in whole, pattern


def test_no_pattern_takes_everything() -> None:
    assert not [pattern for pattern in PATTERNS if letters(pattern) < LEAST_LETTERS]
