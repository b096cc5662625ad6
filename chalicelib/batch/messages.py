"""The messages of the listing queue."""

import json

from chalicelib.errors import InvalidRequest


def list_message(batch_id: str) -> str:
    """What asks for a batch's keys, or for the rest of them."""
    return json.dumps({"do": "list", "batch": batch_id})


def finish_message(batch_id: str) -> str:
    """What asks for a batch's files."""
    return json.dumps({"do": "finish", "batch": batch_id})


def read_message(body: str) -> tuple[str, str]:
    """`list` or `finish`, and the batch's id; raises InvalidRequest."""
    try:
        message = json.loads(body)
        do, batch_id = message["do"], message["batch"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidRequest("the message asks for nothing that is known") from error
    if do not in ("list", "finish") or not isinstance(batch_id, str):
        raise InvalidRequest("the message asks for nothing that is known")
    return do, batch_id
