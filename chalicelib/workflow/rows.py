"""Rows in S3: one file for each group, under a name that the group decides."""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from chalicelib.aws.s3 import Objects, json_lines
from chalicelib.errors import ObjectGone
from chalicelib.workflow.pictures import MAX_FILE_BYTES, Picture, read_pictures
from chalicelib.workflow.report.row import Row
from chalicelib.workflow.run import Run

READERS = 16
LOST = {"Error": "GroupFailed", "Cause": "nothing was recorded for the group"}
"""Of a group that has no rows: it failed, and so did recording that."""
_MESSAGE_CHARACTERS = 200


def write_rows(objects: Objects, run: Run, group: int, rows: Iterable[Row]) -> None:
    """Write a group's rows, whole or not at all; raises what `aws.translated` raises."""
    lines = json_lines(row.to_dict() for row in rows)
    objects.write(run.bucket, run.rows_key(group), lines, "application/x-ndjson")


def read_all_rows(objects: Objects, run: Run, groups: int, lost: Mapping[str, Any] = LOST) -> Iterator[Row]:
    """Every picture's row, group by group; where a group has none, `lost`, `{"Error", "Cause"}`, for its pictures."""
    with ThreadPoolExecutor(READERS) as readers:
        for rows in readers.map(lambda group: _read(objects, run, group, lost), range(groups)):
            yield from rows


def failed_rows(run: Run, pictures: Iterable[Picture], failure: Mapping[str, Any]) -> list[Row]:
    """A row with the error for each picture of a group that failed as Step Functions says: `{"Error", "Cause"}`."""
    error = {"Code": str(failure.get("Error")), "Message": _message(failure.get("Cause"))}
    return [failed_row(run, picture, error) for picture in pictures]


def failed_row(run: Run, picture: Picture, error: Mapping[str, str]) -> Row:
    """The row of a picture that no model answered; `error` is `{"Code", "Message"}`."""
    return Row(picture.key, run.split.arm(picture.key), error=error, expected=picture.expected)


def _read(objects: Objects, run: Run, group: int, lost: Mapping[str, Any]) -> list[Row]:
    try:
        text = objects.read(run.bucket, run.rows_key(group), MAX_FILE_BYTES)
    except ObjectGone:
        return failed_rows(run, read_pictures(objects, run, group), lost)
    return [Row.from_dict(json.loads(line)) for line in text.splitlines()]


def _message(cause: Any) -> str:
    """Of a Lambda function's failure its message; its traceback is for the function's log."""
    with suppress(ValueError, TypeError, KeyError):
        cause = json.loads(cause)["errorMessage"]
    return str(cause)[:_MESSAGE_CHARACTERS]
