"""One reader of every AWS event that names S3 objects: each becomes a list of image references.

Envelopes may hold one another: SQS an SNS notification that holds an S3 notification, and so on. Sources: "Event
message structure" and "EventBridge event message structure" of the Amazon S3 user guide, and the AWS Lambda
developer guide's sample event of each service.
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
"""Envelopes within one another; no chain of services makes more than four."""


@dataclass(frozen=True)
class ImageRef:
    """An S3 object that is to be classified; what the event does not tell is None."""

    bucket: str
    key: str
    size_bytes: int | None = None
    etag: str | None = None
    time: str | None = None
    """When it was uploaded, ISO 8601 in UTC."""
    batch: str | None = None
    model: str | None = None
    top_k: int | None = None

    def to_message(self) -> str:
        """The plain JSON form, which `read` takes."""
        names = {"size_bytes": "size"}
        fields = {names.get(name, name): value for name, value in vars(self).items() if value is not None}
        return json.dumps(fields, separators=(",", ":"))


def read(event: Any, depth: int = 0) -> list[ImageRef]:
    """The images that an event or a message names, in order; raises InvalidRequest for one of unknown form.

    What names no new object gives none: `s3:TestEvent`, deletions, the empty objects that stand for folders.
    """
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"the event has more than {MAX_DEPTH} envelopes")
    if isinstance(event, str | bytes):
        return read(_json(event), depth + 1)
    if isinstance(event, list):
        return [ref for item in event for ref in read(item, depth + 1)]
    if not isinstance(event, dict):
        raise InvalidRequest("the event is no JSON object")
    try:
        return _from_object(event, depth)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidRequest(f"the event lacks what its kind has ({type(error).__name__}: {error})") from error


def _from_object(event: Mapping[str, Any], depth: int) -> list[ImageRef]:
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


def _s3(record: Mapping[str, Any], _: int) -> list[ImageRef]:
    """A record of a notification: the key is URL-encoded, with `+` for a blank."""
    if not record.get("eventName", "ObjectCreated").removeprefix("s3:").startswith("ObjectCreated"):
        return []
    bucket, found = record["s3"]["bucket"]["name"], record["s3"]["object"]
    key = unquote_plus(found["key"], errors="strict")
    return _kept([ImageRef(bucket, _text(key), found.get("size"), found.get("eTag"), record.get("eventTime"))])


def _eventbridge(event: Mapping[str, Any]) -> list[ImageRef]:
    """The key is as it is: EventBridge does not encode it."""
    if event["detail-type"] != "Object Created":
        return []
    bucket, found = event["detail"]["bucket"]["name"], event["detail"]["object"]
    return _kept([ImageRef(bucket, _text(found["key"]), found.get("size"), found.get("etag"), event.get("time"))])


def _kinesis(record: Mapping[str, Any], depth: int) -> list[ImageRef]:
    try:
        return read(base64.b64decode(record["kinesis"]["data"], validate=True), depth)
    except binascii.Error as error:
        raise InvalidRequest("the Kinesis record is not base64") from error


def _dynamodb(record: Mapping[str, Any], _: int) -> list[ImageRef]:
    """An item with `bucket` and `key`, written anew or changed."""
    if record["eventName"] == "REMOVE":
        return []
    image = {name: value for name, typed in record["dynamodb"]["NewImage"].items() for value in typed.values()}
    if "size" in image:
        image["size"] = int(image["size"])
    return _kept([_plain(image)])


_RECORDS: dict[str, Callable[[Mapping[str, Any], int], list[ImageRef]]] = {
    "aws:s3": _s3,
    "aws:sqs": lambda record, depth: read(record["body"], depth),
    "aws:sns": lambda record, depth: read(record["Sns"]["Message"], depth),
    "aws:kinesis": _kinesis,
    "aws:dynamodb": _dynamodb,
}


def _plain(event: Mapping[str, Any]) -> ImageRef:
    """`{"bucket", "key"}`, with `size`, `etag`, `time`, `batch`, `model` and `top_k` where they are known."""
    if "bucket" not in event or "key" not in event:
        raise InvalidRequest("the event names no S3 object: no envelope that is known, no bucket and key")
    texts = {name: event.get(name) for name in ("etag", "time", "batch", "model")}
    for value in texts.values():
        _text(value or "-")
    size, top_k = event.get("size"), event.get("top_k")
    if any(value is not None and type(value) is not int for value in (size, top_k)):
        raise InvalidRequest('the event\'s "size" or "top_k" is no whole number')
    return ImageRef(_text(event["bucket"]), _text(event["key"]), size, top_k=top_k, **texts)


def _kept(refs: Iterable[ImageRef]) -> list[ImageRef]:
    return [ref for ref in refs if not is_folder(ref.key, ref.size_bytes)]


def is_folder(key: str, size_bytes: int | None) -> bool:
    """Whether an object is what consoles make for an empty folder."""
    return key.endswith("/") and not size_bytes


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidRequest("the event's bucket, key or batch is no text")
    return value


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the message is not JSON ({len(text)} characters received)") from error
