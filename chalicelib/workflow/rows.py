"""Rows of pictures that no model answered."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress

from chalicelib.workflow.pictures import Picture
from chalicelib.workflow.report.row import Row
from chalicelib.workflow.run import Run
from chalicelib.workflow.states import Failure

LOST: Failure = {"Error": "GroupFailed", "Cause": "nothing was recorded for the group"}
"""The failure of a group without rows: classifying it failed, and so did recording that."""
_MESSAGE_CHARACTERS = 200


def failed_rows(run: Run, pictures: Iterable[Picture], failure: Failure) -> list[Row]:
    """A row with the error for each picture of a group that failed."""
    error = {"Code": str(failure.get("Error")), "Message": _message(failure.get("Cause"))}
    return [failed_row(run, picture, error) for picture in pictures]


def failed_row(run: Run, picture: Picture, error: Mapping[str, str]) -> Row:
    """The row of a picture; `error` is `{"Code", "Message"}`."""
    return Row(picture.key, run.split.arm(picture.key), error=error, expected=picture.expected)


def _message(cause: str | None) -> str:
    """The message of a Lambda function's exception, without its traceback, which is in the function's log."""
    with suppress(ValueError, TypeError, KeyError):
        cause = json.loads(cause or "")["errorMessage"]
    return str(cause)[:_MESSAGE_CHARACTERS]
