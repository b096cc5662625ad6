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
    max_area_px: int = 25 * MEGAPIXEL
    """Width times height, for 400 MB of memory: WebP takes up to 15.5 bytes a pixel."""


FORMATS = {
    # A JPEG is decoded at reduced scale, so that a large one takes little memory; `images` says when not.
    "JPEG": Format(
        "JPEG", (".jpg", ".jpeg"), ("image/jpeg", "image/jpg"), {0: b"\xff\xd8\xff"}, max_area_px=100 * MEGAPIXEL
    ),
    "PNG": Format("PNG", (".png",), ("image/png",), {0: b"\x89PNG\r\n\x1a\n"}),
    "WEBP": Format("WebP", (".webp",), ("image/webp",), {0: b"RIFF", 8: b"WEBP"}),
    "GIF": Format("GIF", (".gif",), ("image/gif",), {0: b"GIF8"}),
    "BMP": Format("BMP", (".bmp",), ("image/bmp",), {0: b"BM"}),
}
"""Pillow's name of each format, which is also its name for `Image.save`, to what is known of it."""

SUFFIXES = tuple(sorted(suffix for served in FORMATS.values() for suffix in served.suffixes))
BINARY_TYPES = [*(kind for served in FORMATS.values() for kind in served.media_types), "application/octet-stream"]
"""Content types that API Gateway hands over as bytes; the bytes themselves decide which format they are."""


def listed(conjunction: str) -> str:
    """The formats in words: "JPEG, PNG, WebP, GIF and BMP" for "and"."""
    *names, last = (served.name for served in FORMATS.values())
    return f"{', '.join(names)} {conjunction} {last}"


ACCEPTED = f"{listed('and')} are accepted"
