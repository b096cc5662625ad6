"""One tree of exceptions for the served code. No HTTP here: `statuses` maps each leaf to its status."""

import json
from typing import Any


class SlimceptionError(Exception):
    """Base of all errors whose message may be shown to the caller."""


class ClientError(SlimceptionError):
    """The request is at fault; the same request will fail again."""


class InvalidRequest(ClientError):
    """The request is malformed: it is not JSON, or a field is missing, unknown or out of range."""


class UnknownRoute(ClientError):
    """No route of the API has this path."""


class CallerForbidden(ClientError):
    """The route is for signed requests, and no front has checked a signature of this one."""


class UnknownModel(ClientError):
    """The request names a model that is not installed."""


class UnknownBatch(ClientError):
    """No batch has this id."""


class NotDeployed(ClientError):
    """What the request asks for exists only in a deployed stage that has a bucket."""


class ObjectGone(ClientError):
    """The bucket or the object does not exist."""


class ObjectForbidden(ClientError):
    """The installation has no permission to read or write the object."""


class PayloadTooLarge(ClientError):
    """The body or the object has too many bytes."""


class ImageTooLarge(ClientError):
    """The image has too many pixels, too long a side or too many scans for the limits of memory and time."""


class UnsupportedMediaType(ClientError):
    """The Content-Type of the request is not one that the route takes."""


class UnsupportedImage(ClientError):
    """The bytes are not in an image format that is served."""


class UndecodableImage(ClientError):
    """The bytes begin like a format that is served, but the image cannot be decoded."""


class ServiceError(SlimceptionError):
    """The installation is at fault; the same request may succeed later."""


class ConfigError(ServiceError):
    """An environment variable has a value that cannot be used."""


class ModelError(ServiceError):
    """A model bundle is missing, damaged or inconsistent, or its output cannot be used."""


class SecondModelError(ServiceError):
    """The second of two compared models fails; the first one can classify its pictures."""


class EngineError(ServiceError):
    """No inference engine can be imported."""


class StorageError(ServiceError):
    """S3, SQS or DynamoDB does not respond, or fails in a way that a retry may mend: throttled, cut off, timed out."""


def shown(value: Any) -> str:
    """A value as a message shows it: as JSON of at most 60 characters, or only its kind and size."""
    if isinstance(value, dict | list):
        return f"a JSON {'object' if isinstance(value, dict) else 'list'} of {len(value)}"
    try:
        text = json.dumps(value)
    except ValueError:  # Python refuses to print integers of more than 4,300 digits
        return "a very large number"
    return text if len(text) <= 60 else text[:60] + "..."
