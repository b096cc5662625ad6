"""A PNG's pixels in 35 ms for 1600x1200, where Pillow takes 57: zlib-ng inflates, libspng undoes the filters.

Pillow's wheels use the system's zlib, whatever they were built with, and undo filters byte by byte. What is accepted
here is what Pillow accepts, with the same pixels: a zlib stream that is whole, whose checksum is right, and that holds
the rows and nothing else. Pillow decides on all others.
"""

import zlib

from PIL import Image

from chalicelib.inference.containers.png import PIXELS_END
from chalicelib.inference.containers.stripped import Stripped
from chalicelib.telemetry import cold_start

MIN_BYTES, FIRST_BYTES = 200_000, 2_000_000
"""Of the rows of a picture for which this is worth while, and of the first picture of a process: importing the two
libraries takes as long as 2 MB gain."""
MAX_BYTES = 32_000_000
"""Of the rows, which are in memory up to three times."""

_DEPTH, _COLOR_TYPE, _INTERLACE = 24, 25, 28
"""Where these stand in a file (PNG specification, 11.2.1)."""
_HEADER_END = 33
_MODES = {2: "RGB", 6: "RGBA"}
_STORED = b"\x78\x01"
"""The header of a zlib stream without compression (RFC 1950, 2.2)."""
_BLOCK_BYTES = 65_535
"""Of a stored block, at most (RFC 1951, 3.2.4)."""


def loaded(stripped: Stripped, opened: Image.Image) -> Image.Image | None:
    """The pixels of a PNG that Pillow has opened and not loaded, or None: Pillow has to load it.

    Only RGB and RGBA with 8 bits, not interlaced, without a palette and without a colour that is transparent.
    """
    data, mode = stripped.data, _MODES.get(stripped.data[_COLOR_TYPE])
    least = MIN_BYTES if cold_start.has_answered else FIRST_BYTES
    if mode != opened.mode or data[_DEPTH] != 8 or data[_INTERLACE] or not least <= stripped.work <= MAX_BYTES:
        return None
    begin = _HEADER_END + 8
    if data[begin - 4 : begin] != b"IDAT":
        return None
    try:
        from pyspng import load
        from zlib_ng.zlib_ng import decompressobj
    except ImportError:  # Pillow does without
        return None
    try:
        inflating = decompressobj()
        rows = inflating.decompress(memoryview(data)[begin:], stripped.work + 1)
        if len(rows) != stripped.work or not inflating.eof or inflating.unused_data != PIXELS_END:
            return None
        pixels = load(_with_stored(data[:_HEADER_END], rows), mode)
    except MemoryError:
        raise
    except Exception:  # whatever the two raise: Pillow decides
        return None
    return Image.frombuffer(mode, opened.size, pixels, "raw", mode, 0, 1)


def _with_stored(header: bytes, rows: bytes) -> bytes:
    """A PNG of these rows, not compressed."""
    view = memoryview(rows)
    parts: list[bytes | memoryview] = [_STORED]
    for at in range(0, len(rows), _BLOCK_BYTES):
        block = view[at : at + _BLOCK_BYTES]
        size, is_last = len(block), at + _BLOCK_BYTES >= len(rows)
        parts += [bytes([is_last]) + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little"), block]
    parts.append(zlib.adler32(rows).to_bytes(4, "big"))
    size_bytes = sum(map(len, parts)).to_bytes(4, "big")
    return b"".join((header, size_bytes, b"IDAT", *parts, PIXELS_END))
