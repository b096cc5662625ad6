"""PNG: zlib streams, chunks, interlace, text. Source: W3C, Portable Network Graphics, third edition."""

import struct
import zlib
from collections.abc import Iterator
from functools import partial

from benchmarks.hostile.bombs.bomb import Bomb, deflated_zeros, png_chunk, repeated, sides

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = png_chunk(b"IEND", b"")
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = {
    "1 bit": (1, 0),
    "grey": (8, 0),
    "grey of 16 bits": (16, 0),
    "colour": (8, 2),
    "colour of 16 bits": (16, 2),
    "palette": (8, 3),
    "palette of 1 bit": (1, 3),
    "grey with alpha": (8, 4),
    "alpha": (8, 6),
    "alpha of 16 bits": (16, 6),
}
"""Bits a sample and colour type."""
PARTS = {
    "empty text": png_chunk(b"tEXt", b"a\0"),
    "text": png_chunk(b"tEXt", b"a\0" + b"b" * 60_000),
    "compressed text": png_chunk(b"zTXt", b"a\0\0" + deflated_zeros(1_000_000)),
    "compressed international text": png_chunk(b"iTXt", b"a\0\1\0\0\0" + deflated_zeros(1_000_000)),
    "colour profiles": png_chunk(b"iCCP", b"a\0\0" + deflated_zeros(5_000_000)),
    "EXIF": png_chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0\0\0\0\0"),
    "palettes": png_chunk(b"PLTE", bytes(768)),
    "transparency": png_chunk(b"tRNS", bytes(2)),
    "unknown chunks": png_chunk(b"abCd", b""),
    "animation control": png_chunk(b"acTL", struct.pack(">II", 2, 0)),
    "frame control": png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 8, 8, 0, 0, 1, 1, 0, 0)),
    "empty data": png_chunk(b"IDAT", b""),
}


def header(width: int, height: int, bits: int, color_type: int, interlaced: bool = False) -> bytes:
    """The signature and IHDR."""
    fields = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, interlaced)
    return SIGNATURE + png_chunk(b"IHDR", fields)


def raw_bytes(width: int, height: int, bits: int, color_type: int, interlaced: bool = False) -> int:
    """The size of the unfiltered data, with a byte of filter for each row."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    total = 0
    for left, top, across, down in passes if interlaced else [(0, 0, 1, 1)]:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits * CHANNELS[color_type] + 7) // 8)
    return total


def plain(width: int, height: int, bits: int, color_type: int, interlaced: bool = False) -> bytes:
    """A black picture, whole, with a palette where its type needs one."""
    palette = png_chunk(b"PLTE", bytes(768 if bits == 8 else 6)) if color_type == 3 else b""
    data = deflated_zeros(raw_bytes(width, height, bits, color_type, interlaced))
    return header(width, height, bits, color_type, interlaced) + palette + png_chunk(b"IDAT", data) + END


def filtered(width: int, height: int, kind: int) -> bytes:
    """Each row with the same filter, 1 to 4, and values that differ."""
    row = bytes([kind]) + bytes(number * 7 % 256 for number in range(width * 4))
    deflate = zlib.compressobj(1)
    data = b"".join(deflate.compress(row) for _ in range(height)) + deflate.flush()
    return header(width, height, 8, 6) + png_chunk(b"IDAT", data) + END


def stuffed(part: bytes, size: int) -> bytes:
    """A picture of 8x8 px with `part` repeated before its data."""
    whole = plain(8, 8, 8, 2)
    return whole[:33] + repeated(part, size - 200) + whole[33:]


def trailed(part: bytes, size: int) -> bytes:
    """The same behind its data."""
    whole = plain(8, 8, 8, 2)
    return whole[: -len(END)] + repeated(part, size - 200) + END


def split(width: int, height: int, _: int) -> bytes:
    """A picture whose data is in chunks of one byte."""
    data = deflated_zeros(raw_bytes(width, height, 8, 2))
    return header(width, height, 8, 2) + b"".join(png_chunk(b"IDAT", data[n : n + 1]) for n in range(len(data))) + END


def behind_its_pixels(size: int) -> bytes:
    """A picture of 8x8 px whose zlib stream goes on for a thousand times the size of the file."""
    return header(8, 8, 8, 2) + png_chunk(b"IDAT", deflated_zeros((size - 10_000) * 990)) + END


def bombs(area_px: int, longest_px: int) -> Iterator[Bomb]:
    """All of PNG's, at the limits of area and side."""
    for what, (width, height) in sides(area_px, longest_px).items():
        for color, (bits, color_type) in KINDS.items():
            for interlaced in (False, True):
                name = f"{color}{', interlaced' if interlaced else ''}, {what}"
                make = partial(_plain, width, height, bits, color_type, interlaced)
                yield Bomb(name, make, over=what.startswith("over"))
    side = int(area_px**0.5)
    for kind in range(1, 5):
        yield Bomb(f"filter {kind}, the area", lambda _, kind=kind: filtered(side, side, kind))  # type: ignore[misc]
    for side in (100, 1_000):
        yield Bomb(f"data in chunks of 1 byte, {side} px", partial(split, side, side))
    yield Bomb("data behind the pixels", behind_its_pixels, grows=True)
    for name, part in PARTS.items():
        yield Bomb(f"{name} before the data", partial(stuffed, part), grows=True)
        yield Bomb(f"{name} behind the data", partial(trailed, part), grows=True)


def _plain(width: int, height: int, bits: int, color_type: int, interlaced: bool, _: int) -> bytes:
    return plain(width, height, bits, color_type, interlaced)
