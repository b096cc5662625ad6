"""The picture formats that are served: one table, for everybody who names, finds or recognises pictures."""

from collections.abc import Mapping
from typing import NamedTuple

MEGAPIXEL = 1_000_000


class Format(NamedTuple):
    """One format. The order of the media types is that of the contract; the first is the registered one."""

    name: str
    """As messages write it."""
    suffixes: tuple[str, ...]
    """Endings of file names, in lower case, each with its dot."""
    media_types: tuple[str, ...]
    signature: Mapping[int, bytes]
    """Offset in the file to the bytes that stand there in every file of this format."""


FORMATS = {
    "JPEG": Format(
        "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), ("image/jpeg", "image/jpg"), {0: b"\xff\xd8\xff"}
    ),
    "PNG": Format("PNG", (".png",), ("image/png",), {0: b"\x89PNG\r\n\x1a\n"}),
    "WEBP": Format("WebP", (".webp",), ("image/webp",), {0: b"RIFF", 8: b"WEBP"}),
    "GIF": Format("GIF", (".gif",), ("image/gif",), {0: b"GIF8", 5: b"a"}),
    # The three zeros: its header, whose size stands there, has less than 256 bytes.
    "BMP": Format("BMP", (".bmp", ".dib"), ("image/bmp",), {0: b"BM", 15: b"\0\0\0"}),
}
"""Pillow's name of each format, which is also its name for `Image.save`, to what is known of it."""

HEAD_BYTES = 32
"""As many of a file's first bytes as `format_of` looks at, and more than any signature has."""

SUFFIXES = tuple(sorted(suffix for served in FORMATS.values() for suffix in served.suffixes))
BINARY_TYPES = [*(kind for served in FORMATS.values() for kind in served.media_types), "application/octet-stream"]
"""Content types that API Gateway hands over as bytes; the bytes themselves decide which format they are."""


def format_of(head: bytes) -> str | None:
    """The key in FORMATS that fits a picture's first bytes, or None. File name and media type do not count."""
    for image_format, served in FORMATS.items():
        if all(head.startswith(part, offset) for offset, part in served.signature.items()):
            return image_format
    return None


def listed(conjunction: str) -> str:
    """The formats in words: "JPEG, PNG, WebP, GIF and BMP" for "and"."""
    *names, last = (served.name for served in FORMATS.values())
    return f"{', '.join(names)} {conjunction} {last}"


ACCEPTED = f"{listed('and')} are accepted"
