"""Reads every AWS event that names S3 objects into a list of references to pictures.

An envelope may hold another one: an SQS message may hold an SNS notification that holds an S3 notification, and so on.
Sources: "Event message structure" and "EventBridge event message structure" of the Amazon S3 user guide, and the AWS
Lambda developer guide's sample event of each service.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from chalicelib.aws.urls import parse_s3_url
from chalicelib.errors import InvalidRequest, shown

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
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, OSError) as error:
        raise InvalidRequest(f"the event is incomplete for its type ({type(error).__name__}: {error})") from error


def _from_object(event: Mapping[str, Any], depth: int) -> list[PictureRef]:
    if "Records" in event:
        return [ref for record in event["Records"] for ref in read(record, depth + 1)]
    if event.get("Event") == "s3:TestEvent":
        return []
    source = event.get("eventSource") or event.get("EventSource")
    if source in _RECORDS:
        return _RECORDS[source](event, depth + 1)
    if event.get("Type") == "Notification":  # SNS, delivered to a queue
        return _at(event.get("Timestamp"), read(event["Message"], depth + 1))
    if "requestPayload" in event:  # what Lambda, or intake, keeps of an event that failed
        return read(event["requestPayload"], depth + 1)
    if "detail-type" in event:
        return _eventbridge(event)
    return _kept([_plain(event)])


def _s3(record: Mapping[str, Any], _: int) -> list[PictureRef]:
    """A record of a notification. S3 URL-encodes the key and writes `+` for a blank."""
    if not record.get("eventName", "ObjectCreated").removeprefix("s3:").startswith("ObjectCreated"):
        return []
    bucket, found = record["s3"]["bucket"]["name"], record["s3"]["object"]
    key = unquote_plus(found["key"], errors="strict")
    return _kept([_ref(bucket, key, found.get("size"), found.get("eTag"), record.get("eventTime"))])


def _eventbridge(event: Mapping[str, Any]) -> list[PictureRef]:
    """S3's event, whose key is not encoded, or one whose `detail` is the plain form."""
    detail = event["detail"]
    if event["source"] != "aws.s3":
        return _at(event.get("time"), _kept([_plain(detail)]))
    if event["detail-type"] != "Object Created":
        return []
    found = detail["object"]
    return _kept(
        [_ref(detail["bucket"]["name"], found["key"], found.get("size"), found.get("etag"), event.get("time"))]
    )


def _kinesis(record: Mapping[str, Any], depth: int) -> list[PictureRef]:
    kinesis = record["kinesis"]
    try:
        data = base64.b64decode(kinesis["data"], validate=True)
    except binascii.Error as error:
        raise InvalidRequest("the Kinesis record is not base64") from error
    return _at(_seconds(kinesis.get("approximateArrivalTimestamp")), read(data, depth))


def _dynamodb(record: Mapping[str, Any], _: int) -> list[PictureRef]:
    """A new item that names a picture, or one that names another picture than it did before."""
    if record["eventName"] == "REMOVE":
        return []
    change = record["dynamodb"]
    if "NewImage" not in change:
        raise InvalidRequest("the DynamoDB stream has no new items: set its view to NEW_IMAGE or NEW_AND_OLD_IMAGES")
    new = _item(change["NewImage"])
    if not {"bucket", "key", "image"} & set(new):  # one of another kind, in a table that holds several
        return []
    if _names_the_same(new, change.get("OldImage")):
        return []
    return _at(_seconds(change.get("ApproximateCreationDateTime")), _kept([_plain(new)]))


def _names_the_same(new: Mapping[str, Any], old_image: Any) -> bool:
    """Whether the item named the picture before the change, too, as when only its other attributes changed."""
    if not old_image:
        return False
    old = _item(old_image)
    return all(new.get(name) == old.get(name) for name in ("bucket", "key", "image", "etag", "model", "top_k"))


def _item(image: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(kind, value) for name, typed in image.items() for kind, value in typed.items()}


def _value(kind: str, value: Any) -> Any:
    """An attribute's value. DynamoDB writes numbers as text; only whole ones mean something here."""
    return int(value) if kind == "N" and value.isdigit() else value


_RECORDS: dict[str, Callable[[Mapping[str, Any], int], list[PictureRef]]] = {
    "aws:s3": _s3,
    "aws:sqs": lambda record, depth: read(record["body"], depth),
    "aws:sns": lambda record, depth: _at(record["Sns"].get("Timestamp"), read(record["Sns"]["Message"], depth)),
    "aws:kinesis": _kinesis,
    "aws:dynamodb": _dynamodb,
}


def _plain(event: Mapping[str, Any]) -> PictureRef:
    """`{"bucket", "key"}` or `{"image": "s3://bucket/key"}`, with `size`, `etag`, `time`, `batch`, `model` and `top_k`
    if they are known.
    """
    if "image" in event:
        bucket, key = parse_s3_url(_text(event["image"]), "image")
    elif "bucket" in event and "key" in event:
        bucket, key = event["bucket"], event["key"]
    else:
        raise InvalidRequest(
            "the event names no S3 object: not a known event type, and it has neither bucket and key nor an image"
        )
    batch, model = (event.get(name) for name in ("batch", "model"))
    for value in (batch, model):
        _text(value or "-")
    ref = _ref(bucket, key, event.get("size"), event.get("etag"), event.get("time"))
    return replace(ref, batch=batch, model=model, top_k=event.get("top_k"))


def _ref(bucket: Any, key: Any, size: Any, etag: Any, time: Any) -> PictureRef:
    if size is not None and type(size) is not int:
        raise InvalidRequest('"size" of the event is not a whole number')
    return PictureRef(_text(bucket), _text(key), size, _text(etag) if etag else None, _time(time))


def _at(time: Any, refs: Iterable[PictureRef]) -> list[PictureRef]:
    """The references; those without a time get that of their envelope, the same at every delivery."""
    return [ref if ref.time else replace(ref, time=_time(time)) for ref in refs]


def _seconds(epoch: Any) -> str | None:
    """Seconds since the epoch as ISO 8601."""
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC).isoformat()


def _time(value: Any) -> str | None:
    """A time in UTC whose first ten characters are the day."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
        in_utc = at.astimezone(UTC) if at.tzinfo else at
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidRequest(f'"time" of the event is {shown(value)}: expected ISO 8601') from error
    return value if value[:10] == in_utc.date().isoformat() else in_utc.isoformat()


def _kept(refs: Iterable[PictureRef]) -> list[PictureRef]:
    return [ref for ref in refs if not is_folder(ref.key, ref.size_bytes)]


def is_folder(key: str, size_bytes: int | None) -> bool:
    """Whether an object is the placeholder that consoles create for an empty folder."""
    return key.endswith("/") and not size_bytes


def _text(value: Any) -> str:
    """A text that UTF-8 can encode, as S3's and DynamoDB's keys are: JSON can hold half of a surrogate pair."""
    if not isinstance(value, str) or not value:
        raise InvalidRequest("bucket, key, image, etag, batch or model of the event is not a string, or is empty")
    value.encode()
    return value


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the message is not JSON ({len(text)} characters received)") from error
