"""A request's body. Content type and size are checked before anything parses it."""

from typing import Any, Protocol

from chalicelib.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType
from chalicelib.inference.formats import ACCEPTED, BINARY_TYPES

SCALE_DOWN = "; scale the image down"


class Request(Protocol):
    """The part of Chalice's request that the API uses."""

    raw_body: Any
    headers: Any
    query_params: Any
    context: Any
    path: str


def json_body(request: Request, max_bytes: int, accepted: str, advice: str = "") -> bytes:
    """The body of a JSON request; raises UnsupportedMediaType, PayloadTooLarge or InvalidRequest.

    `accepted` says what the route takes, and `advice` what to do about a body that is too large.
    """
    media_type = _media_type(request)
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType(f"Content-Type is {media_type[:60]!r}: {accepted}")
    return _body(request, max_bytes, advice)


def image_body(request: Request, max_bytes: int) -> bytes:
    """The bytes of an image; raises UnsupportedMediaType, PayloadTooLarge or InvalidRequest."""
    media_type = _media_type(request, BINARY_TYPES[-1])
    if media_type not in BINARY_TYPES:
        raise UnsupportedMediaType(f"Content-Type is {media_type[:60]!r}: {ACCEPTED}, as {', '.join(BINARY_TYPES)}")
    body = _body(request, max_bytes, SCALE_DOWN)
    if not body:
        raise InvalidRequest("the body is empty: expected the bytes of an image")
    return body


def _body(request: Request, max_bytes: int, advice: str) -> bytes:
    try:
        body: bytes = request.raw_body or b""
    except ValueError as error:  # Chalice decodes it here: lone surrogates, broken base64 in the event
        raise InvalidRequest("the body cannot be read as bytes") from error
    if len(body) > max_bytes:
        raise PayloadTooLarge(f"the body has {len(body)} bytes: at most {max_bytes} are accepted{advice}")
    return body


def _media_type(request: Request, default: str = "application/json") -> str:
    header: str = request.headers.get("content-type") or default
    return header.partition(";")[0].strip().lower()
