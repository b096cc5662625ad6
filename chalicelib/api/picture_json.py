"""A JSON object with one long picture in it, read without making a text of the picture.

Python's JSON reader looks at each character and copies them; then base64 would be read from the copy. Here the long
string is found by its quotes, its base64 is decoded in the body, and only the short rest is read as JSON.
"""

from typing import Any, NamedTuple

from chalicelib import strict_json
from chalicelib.api import base64_text

LONG_BYTES = 10_000
"""Of a string for which this is worth while."""
_AROUND_BYTES = 2_000
"""As much as may stand before the picture, or behind it."""
_PLACE = b"picture"


class WithPicture(NamedTuple):
    """The object's fields, in which "image" is only a placeholder, and the picture that it stands for."""

    fields: dict[str, Any]
    picture: bytes


def read(body: bytes) -> WithPicture | None:
    """The fields and the picture of an object whose "image" is a long base64 text in its usual spelling, else None.

    What is None here may be valid all the same: another reader has to read it, or to say what is wrong. Without a
    backslash before it, each second quote ends a string. The placeholder occurs once, so that it can only be the value
    that it replaces.
    """
    begin, end = _long_string(body)
    if end < 0 or len(body) - end > _AROUND_BYTES:
        return None
    head, tail = body[:begin], body[end:]
    around = head + tail
    if b"\\" in around or _PLACE in around or b"\0" in head or not head.isascii():  # no UTF-16, no byte order mark
        return None
    try:
        picture = base64_text.exact(memoryview(body)[begin:end])
        fields = strict_json.loads(head + _PLACE + tail)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.get("image") != _PLACE.decode():
        return None
    return WithPicture(fields, picture)


def _long_string(body: bytes) -> tuple[int, int]:
    """Where the first long string begins, behind its quote, and the place of the quote that ends it; or -1, twice."""
    begin = body.find(b'"', 0, _AROUND_BYTES) + 1
    while begin > 0:
        end = body.find(b'"', begin)
        if end < 0 or end - begin >= LONG_BYTES:
            return (begin, end)
        begin = body.find(b'"', end + 1, _AROUND_BYTES) + 1
    return (-1, -1)
