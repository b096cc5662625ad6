"""Reads every AWS event that names S3 objects into a list of references to pictures.

An envelope may hold another one: an SQS message may hold an SNS notification that holds an S3 notification, and so on.
Sources: "Event message structure" and "EventBridge event message structure" of the Amazon S3 user guide, and the AWS
Lambda developer guide's sample event of each service.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from chalicelib.errors import InvalidRequest

MAX_DEPTH = 6
"""Envelopes inside each other. No chain of services makes more than four."""


@dataclass(frozen=True)
class PictureRef:
    """An S3 object to classify; a field that the event does not have is None."""

    bucket: str
    key: str
    size_bytes: int | None = None
    etag: str | None = None
    time: str | None = None
    """When the object was uploaded, ISO 8601 in UTC."""
    batch: str | None = None
    model: str | None = None
    top_k: Any = None
    """As the message has it: the picture gets an error as its answer if it is not a whole number of at least 1."""

    def to_message(self) -> str:
        """The plain JSON form, which `read` accepts."""
        names = {"size_bytes": "size"}
        fields = {names.get(name, name): value for name, value in vars(self).items() if value is not None}
        return json.dumps(fields, separators=(",", ":"))


def read(event: Any, depth: int = 0) -> list[PictureRef]:
    """The pictures that an event or a message names, in order; raises InvalidRequest if its form is unknown.

    The list is empty for events that name no new object: `s3:TestEvent`, deletions, the empty objects of folders.
    """
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"the event has more than {MAX_DEPTH} envelopes inside each other")
    if isinstance(event, str | bytes):
        return read(_json(event), depth + 1)
    if isinstance(event, list):
        return [ref for item in event for ref in read(item, depth + 1)]
    if not isinstance(event, dict):
        raise InvalidRequest('the event is not a JSON object: expected an AWS event, or {"bucket", "key"}')
    try:
        return _from_object(event, depth)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidRequest(f"the event is incomplete for its type ({type(error).__name__}: {error})") from error


def _from_object(event: Mapping[str, Any], depth: int) -> list[PictureRef]:
    if "Records" in event:
        return [ref for record in event["Records"] for ref in _from_object(record, depth + 1)]
    if event.get("Event") == "s3:TestEvent":
        return []
    source = event.get("eventSource") or event.get("EventSource")
    if source in _RECORDS:
        return _RECORDS[source](event, depth + 1)
    if event.get("Type") == "Notification":  # SNS, delivered to a queue
        return read(event["Message"], depth + 1)
    if event.get("source") == "aws.s3":
        return _eventbridge(event)
    return _kept([_plain(event)])


def _s3(record: Mapping[str, Any], _: int) -> list[PictureRef]:
    """A record of a notification. S3 URL-encodes the key and writes `+` for a blank."""
    if not record.get("eventName", "ObjectCreated").removeprefix("s3:").startswith("ObjectCreated"):
        return []
    bucket, found = record["s3"]["bucket"]["name"], record["s3"]["object"]
    key = unquote_plus(found["key"], errors="strict")
    return _kept([PictureRef(bucket, _text(key), found.get("size"), found.get("eTag"), record.get("eventTime"))])


def _eventbridge(event: Mapping[str, Any]) -> list[PictureRef]:
    """EventBridge does not encode the key."""
    if event["detail-type"] != "Object Created":
        return []
    bucket, found = event["detail"]["bucket"]["name"], event["detail"]["object"]
    return _kept([PictureRef(bucket, _text(found["key"]), found.get("size"), found.get("etag"), event.get("time"))])


def _kinesis(record: Mapping[str, Any], depth: int) -> list[PictureRef]:
    try:
        return read(base64.b64decode(record["kinesis"]["data"], validate=True), depth)
    except binascii.Error as error:
        raise InvalidRequest("the Kinesis record is not base64") from error


def _dynamodb(record: Mapping[str, Any], _: int) -> list[PictureRef]:
    """A new or changed item with `bucket` and `key`."""
    if record["eventName"] == "REMOVE":
        return []
    image = record["dynamodb"]["NewImage"]
    item = {name: _value(kind, value) for name, typed in image.items() for kind, value in typed.items()}
    return _kept([_plain(item)])


def _value(kind: str, value: Any) -> Any:
    """An attribute's value. DynamoDB writes numbers as text; only whole ones mean something here."""
    return int(value) if kind == "N" and value.isdigit() else value


_RECORDS: dict[str, Callable[[Mapping[str, Any], int], list[PictureRef]]] = {
    "aws:s3": _s3,
    "aws:sqs": lambda record, depth: read(record["body"], depth),
    "aws:sns": lambda record, depth: read(record["Sns"]["Message"], depth),
    "aws:kinesis": _kinesis,
    "aws:dynamodb": _dynamodb,
}


def _plain(event: Mapping[str, Any]) -> PictureRef:
    """`{"bucket", "key"}`, with `size`, `etag`, `time`, `batch`, `model` and `top_k` if they are known."""
    if "bucket" not in event or "key" not in event:
        raise InvalidRequest("the event names no S3 object: not a known event type, and it has no bucket and key")
    texts = {name: event.get(name) for name in ("etag", "time", "batch", "model")}
    for value in texts.values():
        _text(value or "-")
    size = event.get("size")
    if size is not None and type(size) is not int:
        raise InvalidRequest('"size" of the event is not a whole number')
    return PictureRef(_text(event["bucket"]), _text(event["key"]), size, top_k=event.get("top_k"), **texts)


def _kept(refs: Iterable[PictureRef]) -> list[PictureRef]:
    return [ref for ref in refs if not is_folder(ref.key, ref.size_bytes)]


def is_folder(key: str, size_bytes: int | None) -> bool:
    """Whether an object is the placeholder that consoles create for an empty folder."""
    return key.endswith("/") and not size_bytes


def _text(value: Any) -> str:
    """A text that UTF-8 can encode, as S3's and DynamoDB's keys are: JSON can hold half of a surrogate pair."""
    if not isinstance(value, str) or not value:
        raise InvalidRequest("bucket, key, batch or model of the event is not a string, or is empty")
    value.encode()
    return value


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the message is not JSON ({len(text)} characters received)") from error
