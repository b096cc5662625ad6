"""One tree of exceptions for the served code. No HTTP here: `statuses` maps each leaf to its status."""

import json
from typing import Any


class SlimceptionError(Exception):
    """Base of all errors whose message may be shown to the caller."""


class ClientError(SlimceptionError):
    """The request is at fault; the same request will fail again."""


class InvalidRequest(ClientError):
    """The request's form is wrong: not JSON, a field missing, unknown or out of range."""


class UnknownModel(ClientError):
    """The request names a model that is not installed."""


class UnknownBatch(ClientError):
    """No batch has this id."""


class ObjectGone(ClientError):
    """The bucket or the object is not there."""


class ObjectForbidden(ClientError):
    """S3 does not let this installation read or write it."""


class PayloadTooLarge(ClientError):
    """Too many bytes."""


class ImageTooLarge(ClientError):
    """Too many pixels, too long a side or too many scans to decode within the memory and time limits."""


class UnsupportedMediaType(ClientError):
    """The Content-Type of the request is not one that the route takes."""


class UnsupportedImage(ClientError):
    """The bytes are not in an image format that is served."""


class UndecodableImage(ClientError):
    """The bytes start like a served image format, but the image cannot be decoded."""


class ServiceError(SlimceptionError):
    """The installation is at fault; the request may succeed once it is mended."""


class ConfigError(ServiceError):
    """An environment variable has a value that cannot be used."""


class ModelError(ServiceError):
    """A model bundle is missing, damaged or inconsistent, or gives no usable answer."""


class SecondModelError(ServiceError):
    """The second of two models that are compared fails; the first one can take its pictures."""


class EngineError(ServiceError):
    """No inference engine can be imported."""


class StorageError(ServiceError):
    """S3, SQS or DynamoDB gives no answer, or one that may be another later: throttled, cut off, timed out."""


def shown(value: Any) -> str:
    """A value as a message may show it: what it is, and short."""
    if isinstance(value, dict | list):
        return f"a JSON {'object' if isinstance(value, dict) else 'list'} of {len(value)}"
    try:
        text = json.dumps(value)
    except ValueError:  # Python refuses to print integers of more than 4,300 digits
        return "a very large number"
    return text if len(text) <= 60 else text[:60] + "..."
