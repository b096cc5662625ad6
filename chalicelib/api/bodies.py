"""A request's body as bytes: at most one Content-Type, a bounded size, no encoding left. `forms` says what it is."""

import re
from typing import Any, NamedTuple, Protocol

from chalicelib.api import base64_text
from chalicelib.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType

SCALE_DOWN = "; scale the image down"
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


class Request(Protocol):
    """The part of Chalice's request that the API uses."""

    raw_body: Any
    headers: Any
    query_params: Any
    context: Any
    path: str
    method: str

    def to_original_event(self) -> Any:
        """The event of API Gateway, payload format 1.0."""


class Body(NamedTuple):
    """What a request brings, decompressed, and its Content-Type as sent; "": it names none."""

    data: bytes
    content_type: str

    @property
    def media_type(self) -> str:
        """The Content-Type in lower case, without its parameters."""
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether the Content-Type is one of JSON."""
        return self.media_type == "application/json" or self.media_type.endswith("+json")


def read_body(request: Request, max_bytes: int, advice: str = "") -> Body:
    """The body; raises InvalidRequest, PayloadTooLarge or, for an encoding other than gzip, UnsupportedMediaType.

    `max_bytes` bounds what was sent and what it decompresses to; `advice` says what to do about a larger one.
    """
    content_type = _content_type(request)
    try:
        data = _bytes(request, content_type)
    except ValueError as error:  # Chalice decodes it there: lone surrogates, broken base64 in the event
        raise InvalidRequest("the body cannot be read as bytes") from error
    if len(data) > max_bytes:
        raise PayloadTooLarge(f"the body has {len(data)} bytes: at most {max_bytes} are accepted{advice}")
    coding = str(request.headers.get("content-encoding") or "").strip().lower()
    if coding not in ("", "identity"):
        from chalicelib.api import encodings  # here and below: most processes see none of this

        data = encodings.decoded(data, coding, max_bytes, advice)
    return Body(data, content_type)


def json_body(request: Request, max_bytes: int, accepted: str) -> bytes:
    """The body of a request that takes JSON alone, which is also what no Content-Type means; raises as `read_body`.

    `accepted` says what the route takes.
    """
    body = read_body(request, max_bytes)
    if body.media_type and not body.is_json:
        raise UnsupportedMediaType(f"Content-Type is {body.media_type[:60]!r}: {accepted}")
    return body.data


def _bytes(request: Request, content_type: str) -> bytes:
    event = request.to_original_event() or {}
    text = event.get("body")
    if isinstance(text, str) and not event.get("isBase64Encoded") and not text.isascii():
        from chalicelib.api import transcoded

        return transcoded.exact_bytes(text, content_type)
    if isinstance(text, str) and event.get("isBase64Encoded"):
        try:
            return base64_text.exact(text)
        except ValueError:
            pass  # Chalice skips what is no base64
    body: bytes = request.raw_body or b""
    return body


def _content_type(request: Request) -> str:
    """The Content-Type. RFC 9110, 8.3: it is one value; fronts hand two of them on as a list, or with a comma."""
    header = str(request.headers.get("content-type") or "")
    lists = (request.to_original_event() or {}).get("multiValueHeaders")
    given = [
        value
        for name, values in (lists.items() if isinstance(lists, dict) else ())
        if str(name).lower() == "content-type" and isinstance(values, list)
        for value in values
    ]
    if len(given) > 1 or "," in _QUOTED.sub("", header):
        both = ", ".join(map(str, given) if len(given) > 1 else map(str.strip, header.split(",")))
        raise InvalidRequest(f"the request has two Content-Types ({both[:80]!r}): send one")
    return header
