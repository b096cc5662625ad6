"""A request's body: its content type and its size checked, before anything looks inside."""

from typing import Any, Protocol

from chalicelib.errors import InvalidRequest, PayloadTooLarge, UnsupportedImage
from chalicelib.inference.formats import ACCEPTED

BINARY_TYPES = [
    "image/jpeg",
    "image/jpg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/bmp",
    "application/octet-stream",
]
"""Content types that API Gateway hands over as bytes; what the bytes are is decided by looking at them."""


class Request(Protocol):
    """What is used of Chalice's request."""

    raw_body: Any
    headers: Any
    query_params: Any
    context: Any
    path: str


def json_body(request: Request, max_bytes: int) -> bytes:
    """The body of a JSON request; raises UnsupportedImage, PayloadTooLarge or InvalidRequest."""
    media_type = _media_type(request)
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedImage(
            f"Content-Type is {media_type[:60]!r}: POST /predict takes application/json, "
            "POST /predict/image an image's own bytes"
        )
    return _body(request, max_bytes)


def image_body(request: Request, max_bytes: int) -> bytes:
    """The bytes of an image; raises UnsupportedImage, PayloadTooLarge or InvalidRequest."""
    media_type = _media_type(request, BINARY_TYPES[-1])
    if media_type not in BINARY_TYPES:
        raise UnsupportedImage(f"Content-Type is {media_type[:60]!r}: {ACCEPTED}, as {', '.join(BINARY_TYPES)}")
    body = _body(request, max_bytes)
    if not body:
        raise InvalidRequest("the body is empty: expected the bytes of an image")
    return body


def _body(request: Request, max_bytes: int) -> bytes:
    try:
        body: bytes = request.raw_body or b""
    except ValueError as error:  # Chalice decodes it here: lone surrogates, broken base64 in the event
        raise InvalidRequest("the body cannot be read as bytes") from error
    if len(body) > max_bytes:
        raise PayloadTooLarge(f"the body has {len(body)} bytes: at most {max_bytes} are accepted; scale the image down")
    return body


def _media_type(request: Request, default: str = "application/json") -> str:
    header: str = request.headers.get("content-type") or default
    return header.partition(";")[0].strip().lower()
