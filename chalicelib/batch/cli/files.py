"""Writes the result of a folder, as JSON Lines or CSV. Readers see the whole file or none of it."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from chalicelib.batch.record import canonical

Row = dict[str, Any]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Cells that begin so are formulas to a spreadsheet, or are cut there; keys may come from anybody."""


class Line(NamedTuple):
    """A picture's row as text, with its line end. The process that classifies makes it, so the parent need not."""

    key: str
    failed: bool
    text: str

    @classmethod
    def of(cls, row: Row) -> "Line":
        """The line of a row."""
        return cls(row["key"], "error" in row, f"{canonical(row)}\n")


def write(out: Path, lines: Iterable[Line]) -> None:
    """Write JSON Lines, or CSV if the name ends with .csv; an old file stays until the new one is complete."""
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with open(aside, "w", encoding="utf-8", newline="") as file:
            file.writelines(texts(lines, out.name))
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)


def texts(lines: Iterable[Line], name: str) -> Iterator[str]:
    """The text of a result line by line: CSV if its name ends with .csv, otherwise JSON Lines."""
    if name.lower().endswith(".csv"):
        return _csv(json.loads(line.text) for line in lines)
    return (line.text for line in lines)


def _csv(rows: Iterable[Row]) -> Iterator[str]:
    """A header, then a line for each picture: its best label, or its error."""
    fields = ("key", "label", "index", "score", "error", "message")
    for values in [fields, *map(_csv_values, rows)]:
        line = io.StringIO()
        csv.writer(line).writerow(values)  # its line end is CR LF, and it quotes cells that hold either
        yield line.getvalue().removesuffix("\r\n") + "\n"


def _csv_values(row: Row) -> tuple[Any, ...]:
    if "error" in row:
        return (cell(row["key"]), "", "", "", cell(row["error"]["Code"]), cell(row["error"]["Message"]))
    best = row["predictions"][0]
    return (cell(row["key"]), cell(best["label"]), best["index"], best["score"], "", "")


def cell(text: str) -> str:
    """A text as a spreadsheet may open it.

    Bytes of a key that are not UTF-8 are escaped. If a spreadsheet would take the text for a formula, an apostrophe
    comes before it. Source: "CSV Injection" of the OWASP community pages.
    """
    printable = text.encode("utf-8", "backslashreplace").decode()
    return f"'{printable}" if printable.startswith(_FORMULA) else printable
