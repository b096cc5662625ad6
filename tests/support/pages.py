"""The documentation's pages and what stands in them."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT

DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
ROOT_PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES = [*ROOT_PAGES, *sorted(DOCS.glob("*.md")), *DECISIONS]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def section(path: Path, heading: str) -> str:
    """What stands below a heading of the second order."""
    _, found, rest = text_of(path).partition(f"\n## {heading}\n")
    assert found, f"{path.name} has no section {heading!r}"
    return rest.partition("\n## ")[0]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text_of(path), re.S | re.M)


def prose(path: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", text_of(path), flags=re.S | re.M)


def commands(path: Path) -> Iterator[str]:
    """What the console blocks say behind `$`, each command on one line, without its comment."""
    for block in blocks(path, "console"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip().startswith("$ "):
                yield re.sub(r"\s+# .*", "", line.strip().removeprefix("$ "))
