"""The input of a schedule that starts a batch: `{"source": "s3://bucket/prefix", "model", "top_k", "output", "time"}`.

Source: Amazon EventBridge user guide, "Input transformation": a rule's target gets its constant input in place of the
event.
"""

import hashlib
import json
from typing import Any, NamedTuple

from chalicelib.errors import InvalidRequest, shown

_FIELDS = {"source", "model", "top_k", "output", "time"}


class Scheduled(NamedTuple):
    """The arguments of `Service.start`."""

    source: str
    model: str | None
    top_k: int | None
    output: str | None
    batch_id: str

    @classmethod
    def read(cls, event: Any, request_id: str) -> "Scheduled | None":
        """The batch that an event asks for; None if it is another event. Raises InvalidRequest.

        EventBridge may call a target twice for one time, and Lambda tries again. So the batch's id follows from the
        input and its `time`; without a time, from the id of the request, which only Lambda's own tries share.
        """
        if not isinstance(event, dict) or "source" not in event or "detail-type" in event:
            return None
        if event.keys() - _FIELDS:
            raise InvalidRequest(f"a schedule's input has {shown(sorted(event.keys() - _FIELDS)[0])}: {_EXPECTED}")
        given = {name: event.get(name) for name in ("source", "model", "output", "time")}
        texts = {name: None if value == "" else value for name, value in given.items()}
        for name, value in texts.items():
            if not (isinstance(value, str) or (value is None and name != "source")):
                raise InvalidRequest(f'"{name}" of a schedule\'s input is {shown(value)}: {_EXPECTED}')
        top_k = event.get("top_k")
        if top_k is not None and (type(top_k) is not int or top_k < 1):
            raise InvalidRequest(f'"top_k" of a schedule\'s input is {shown(top_k)}: {_EXPECTED}')
        named = json.dumps([*texts.values(), top_k, None if texts["time"] else request_id])
        batch_id = hashlib.sha256(named.encode()).hexdigest()[:32]
        return cls(str(texts["source"]), texts["model"], top_k, texts["output"], batch_id)


_EXPECTED = 'expected {"source": "s3://bucket/prefix"}, perhaps with "model", "top_k" and "output"'
