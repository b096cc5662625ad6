"""The pictures of a group, as a file in S3, and the labels that they should get."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from chalicelib.aws.s3 import Objects, json_lines
from chalicelib.aws.urls import parse_s3_url
from chalicelib.errors import InvalidRequest
from chalicelib.workflow.experiment import FOLDERS
from chalicelib.workflow.run import Run

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Of a group's files. 500 keys of 1,024 bytes, each written as six characters, are 3 MB."""
MAX_LABELS_BYTES = 64 * 1024 * 1024
"""Some 600,000 lines of a hundred bytes: they are held in memory whole, and as text, and as a dict."""

Labels = Mapping[str, str]


class Picture(NamedTuple):
    """A key in the run's bucket, and the label that it should get, where that is known."""

    key: str
    expected: str | None = None


def write_pictures(objects: Objects, run: Run, group: int, pictures: Iterable[Picture]) -> None:
    """Write the file of a group; raises what `aws.translated` raises."""
    rows = ({name: value for name, value in picture._asdict().items() if value is not None} for picture in pictures)
    objects.write(run.bucket, run.pictures_key(group), json_lines(rows), "application/x-ndjson")


def read_pictures(objects: Objects, run: Run, group: int) -> list[Picture]:
    """Read it again."""
    text = objects.read(run.bucket, run.pictures_key(group), MAX_FILE_BYTES)
    return [Picture(**json.loads(line)) for line in text.splitlines()]


def labelled(key: str, labels: Labels | None, by_folder: bool) -> Picture:
    """A picture with the label of its folder, or the one that `labels` has for it."""
    if by_folder:
        return Picture(key, key.rpartition("/")[0].rpartition("/")[2] or None)
    return Picture(key, labels.get(key) if labels else None)


def read_labels(objects: Objects, where: str | None) -> Labels | None:
    """Key to label, of a CSV file with a line `key,label` first or of JSON Lines with `key` and `label`.

    None where labels are not known, or are the folders' names. Raises InvalidRequest, and what
    `aws.translated` raises.
    """
    if where is None or where == FOLDERS:
        return None
    bucket, key = parse_s3_url(where, "labels")
    data = objects.read(bucket, key, MAX_LABELS_BYTES)
    try:
        text = data.decode("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text)) if key.endswith(".csv") else map(json.loads, _lines(text))
        return {_text(row["key"]): _text(row["label"]) for row in rows}
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        expected = 'a CSV file whose first line is key,label, or lines of {"key", "label"}'
        raise InvalidRequest(
            f'"labels" {where} cannot be read ({type(error).__name__}): expected {expected}'
        ) from error


def _text(value: object) -> str:
    """A key or a label; labels may be numbers. A line that ends before them has None."""
    if not isinstance(value, str | int):
        raise TypeError(f"{type(value).__name__} is no text")
    return str(value)


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]
