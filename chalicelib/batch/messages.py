"""The messages of the listing queue."""

import json
from typing import Literal, NamedTuple

from chalicelib.errors import InvalidRequest


class ListingMessage(NamedTuple):
    """`list`: queue the batch's keys, or the rest of them; `finish`: write the batch's files; `close`: write those of
    the days that are over.
    """

    do: Literal["list", "finish", "close"]
    batch_id: str = ""
    """Empty for `close`."""


def list_message(batch_id: str) -> str:
    """Asks the lister for a batch's keys, or for the rest of them."""
    return json.dumps({"do": "list", "batch": batch_id})


def finish_message(batch_id: str) -> str:
    """Asks the lister for a batch's files."""
    return json.dumps({"do": "finish", "batch": batch_id})


def close_message() -> str:
    """Asks the lister for the files of the days that are over; the schedule in .chalice/resources.json sends this."""
    return json.dumps({"do": "close"})


def read_message(body: str) -> ListingMessage:
    """The message in a body; raises InvalidRequest."""
    try:
        fields = json.loads(body)
        if fields == {"do": "close"}:
            return ListingMessage("close")
        do, batch_id = fields["do"], fields["batch"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unknown() from error
    if do not in ("list", "finish") or not isinstance(batch_id, str):
        raise _unknown()
    return ListingMessage(do, batch_id)


def _unknown() -> InvalidRequest:
    return InvalidRequest('unknown message: expected {"do": "list" or "finish", "batch": ID}, or {"do": "close"}')
