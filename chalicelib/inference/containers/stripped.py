"""What a reader returns, and the errors that all readers share."""

from typing import NamedTuple

from chalicelib.errors import ImageTooLarge, UndecodableImage


class Stripped(NamedTuple):
    """A picture's own bytes, and what its headers say of the work to decode them."""

    data: bytes
    """For Pillow: a file of the same format."""
    width: int
    """Px, as stored, before the orientation."""
    height: int
    variant: str
    """A key of `limits.COSTS`; a message says "a ... image" with it."""
    work: int
    """In the variant's own unit, which `limits.COSTS` describes: pixels, samples or bytes, times passes."""
    parts: int = 0
    """Segments, chunks or palette entries that Pillow reads one by one in Python."""
    memory_bytes: int = 0
    """What the decoder allocates beyond the image itself, if that is much."""
    orientation: int | None = None
    """EXIF's orientation, 1 to 8, or None."""


def broken(image_format: str, size_bytes: int) -> UndecodableImage:
    """The error for bytes that begin like a format and do not go on like it."""
    return UndecodableImage(f"a {image_format} image of {size_bytes} bytes that is broken or truncated")


def too_many(image_format: str, parts: str, limit: int) -> ImageTooLarge:
    """The error for a file of more segments, chunks or scans than any encoder writes."""
    return ImageTooLarge(f"a {image_format} image of more than {limit} {parts}: save it again with another program")
