"""The pictures of a run, and their true labels."""

import csv
import io
import json
from collections.abc import Mapping
from typing import NamedTuple

from chalicelib.aws.s3 import Objects
from chalicelib.aws.urls import parse_s3_url
from chalicelib.errors import InvalidRequest
from chalicelib.workflow.experiment import FOLDERS

MAX_LABELS_BYTES = 64 * 1024 * 1024
"""Some 600,000 lines of a hundred bytes. The whole file is held in memory three times: as bytes, text and dict."""

Labels = Mapping[str, str]
"""Key to label."""


class Picture(NamedTuple):
    """A key in the run's bucket, and its true label, if that is known."""

    key: str
    expected: str | None = None


def labelled(key: str, labels: Labels | None, *, by_folder: bool) -> Picture:
    """A picture with the name of its folder as the label, or with its label of `labels`."""
    if by_folder:
        return Picture(key, key.rpartition("/")[0].rpartition("/")[2] or None)
    return Picture(key, labels.get(key) if labels else None)


def read_labels(objects: Objects, where: str | None) -> Labels | None:
    """The labels in the file at the S3 URL `where`: CSV with the header `key,label`, or JSON Lines with these fields.

    None if there is no such file: labels are not known, or are the folders' names. Raises InvalidRequest if the file
    has another form, and what `clients.translated` raises.
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
    """A key or a label; a label may be a number. In a line that ends early the value is None."""
    if not isinstance(value, str | int):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return str(value)


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]
