"""PNG: IHDR, PLTE, tRNS and the pixels of the first frame; the checksums of these alone decide.

Source: PNG specification, third edition, section 5 (chunks) and section 11 (IHDR, PLTE, tRNS, IDAT, text, eXIf).
"""

import re
import zlib
from collections.abc import Iterator

from chalicelib.inference.containers import orientation
from chalicelib.inference.containers.stripped import Stripped, broken, too_many

MAX_CHUNKS = 100_000
"""libpng writes one for each 8 kB of pixels, others for each kB."""
MAX_TEXT_BYTES = 262_144
"""Of a text that holds EXIF or XMP, after decompression; EXIF has at most 65,533 bytes, two characters for each."""

_LARGEST_BYTES = 2**31 - 1
"""Of a chunk (section 5.3)."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type."""
_PALETTE = b"\3"
_NAME = re.compile(rb"\w{4}")
PIXELS_END = b"\0\0\0\0" + b"\0\0\0\0IEND\xaeB`\x82"
"""What stands behind the pixels of a whole picture that is stripped: no checksum, which Pillow reads over, and IEND."""
_RAW_EXIF, _XMP = b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"
"""How ImageMagick keeps EXIF where eXIf is not known, and where XMP stands (XMP specification, part 3, 1.1.5)."""


def strip(data: bytes) -> Stripped:
    """The picture without what is not decoded; raises UndecodableImage or ImageTooLarge."""
    view = memoryview(data)  # a slice of a view is no copy
    kept: list[bytes | memoryview] = [data[:8]]
    pixels: list[memoryview] = []
    header = exif = xmp = profile = b""
    pixels_end = pixels_bytes = 0
    for count, (name, at, end) in enumerate(_chunks(data)):
        if count >= MAX_CHUNKS:
            raise too_many("PNG", "chunks", MAX_CHUNKS)
        if name == b"IDAT":
            if pixels_end in (0, at):  # the pixels end where another chunk begins
                pixels.append(view[at + 8 : end - 4])
                pixels_end, pixels_bytes = end, pixels_bytes + end - at - 12
        elif name == b"IEND":
            break
        elif name in (b"IHDR", b"PLTE", b"tRNS"):
            if not pixels:
                header = data[at + 8 : end - 4] if name == b"IHDR" else header
                if not _is_ignored(name, header, end - at - 12):
                    kept.append(view[at:end])
        elif name == b"eXIf":
            exif = data[at + 8 : end - 4]
        elif data.startswith(_RAW_EXIF, at + 8):
            profile = profile or data[at + 4 : end - 4]
        elif data.startswith(_XMP, at + 8):
            xmp = data[at + 8 : end - 4]
    if len(header) != 13 or not pixels:
        raise broken("PNG", len(data))
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    row_bytes = (width * header[8] * _CHANNELS.get(header[9], 4) + 7) // 8 + 1
    # one chunk: Pillow takes some microseconds of Python for each, and reads over the checksum
    kept += [min(pixels_bytes, _LARGEST_BYTES).to_bytes(4, "big"), b"IDAT", *pixels]
    if pixels_end <= len(data):
        kept.append(PIXELS_END)
    return Stripped(
        b"".join(kept),
        width,
        height,
        "PNG",
        work=row_bytes * height,
        parts=len(pixels),
        orientation=orientation.of_exif(exif or _exif_of(profile)) or orientation.of_xmp(xmp),
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk, until one has no name; the last end may be behind the data."""
    at = 8
    while _NAME.match(data, at + 4):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at, end
        at = end


def _is_ignored(name: bytes, header: bytes, size_bytes: int) -> bool:
    """A table of more entries than a palette can have: browsers show the picture without transparency."""
    return name == b"tRNS" and header[9:10] == _PALETTE and size_bytes > 256


def _exif_of(profile: bytes) -> bytes:
    """EXIF as ImageMagick writes it: a line end, a name, a length, then lines of hexadecimal digits."""
    text = profile[4 + len(_RAW_EXIF) :]
    try:
        if profile.startswith(b"zTXt"):
            text = zlib.decompressobj().decompress(text[1:], MAX_TEXT_BYTES)
        return bytes.fromhex("".join(text[:MAX_TEXT_BYTES].decode("ascii").split("\n")[3:]))
    except (ValueError, zlib.error):
        return b""
