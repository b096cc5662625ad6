"""What is written about each picture: a table for people, JSON Lines or CSV for programs."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from chalicelib.batch.cli.files import cell

CSV_FIELDS = ("file", "label", "score", "model", "error")
"""Those of the page's CSV, too."""


class Failure(NamedTuple):
    """Why a picture has no answer. `status` is None if no server said so."""

    message: str
    status: int | None = None
    request_id: str | None = None

    def line(self) -> str:
        """The reason with status and request id, in one line."""
        about = ", ".join(str(part) for part in (self.status, self.request_id) if part)
        return f"{self.message} ({about})" if about else self.message


class Outcome(NamedTuple):
    """A picture with its answer, or with the reason why there is none."""

    name: str
    answer: dict[str, Any] | None = None
    failure: Failure | None = None


def table(outcomes: Iterable[Outcome], name_width: int, shown: int) -> Iterator[str]:
    """A line for each of the `shown` best labels of a picture, as soon as it has its answer."""
    yield f"{'picture':{name_width}}  {'score':>8}  label (model)"
    for name, answer, failure in outcomes:
        if failure or not answer:
            yield _printable(f"{name:{name_width}}  {'':>8}  error: {failure.line() if failure else 'no answer'}")
            continue
        for place, best in enumerate(answer["predictions"][:shown]):
            first = name if place == 0 else ""
            score = f"{100 * best['score']:.2f}%"
            yield _printable(f"{first:{name_width}}  {score:>8}  {best['label']} ({answer['model']['name']})")


def json_lines(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """`{"file", ...the answer}` for each picture, or `{"file", "error": {"message", "status", "request_id"}}`."""
    for name, answer, failure in outcomes:
        yield json.dumps({"file": name, **(answer or {}), **({"error": failure._asdict()} if failure else {})})


def csv_lines(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """A header, then a line for each picture: its best label, or its error."""
    yield _csv_line(CSV_FIELDS)
    for name, answer, failure in outcomes:
        if failure or not answer:
            yield _csv_line((cell(name), "", "", "", cell(failure.line()) if failure else ""))
        else:
            best = answer["predictions"][0]
            yield _csv_line((cell(name), cell(best["label"]), best["score"], answer["model"]["name"], ""))


def _csv_line(values: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()


def _printable(text: str) -> str:
    """Without what would steer a terminal: labels and names may come from anybody."""
    return "".join(character if character.isprintable() else "?" for character in text)
