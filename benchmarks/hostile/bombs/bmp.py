"""BMP: depths, headers, run lengths. Source: Windows GDI, "Bitmap Storage" and "Bitmap Compression"."""

import struct
from collections.abc import Iterator
from functools import partial

from benchmarks.hostile.bombs.bomb import Bomb, repeated, sides

RLE8, RLE4, BITFIELDS = 1, 2, 3
END_OF_LINE, END, DELTA = b"\0\0", b"\0\1", b"\0\2"


def bmp(width: int, height: int, bits: int, data: bytes, compression: int = 0, offset: int = 0) -> bytes:
    """A file with the header of Windows 3 and a palette; rows from the top if `height` is negative."""
    palette = b"".join(bytes([n, n, 0, 0]) for n in range(1 << bits)) if bits <= 8 else b""
    masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF) if compression == BITFIELDS else b""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, 0, 0)
    start = offset or 14 + 40 + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + info + masks + palette + data


def plain(width: int, height: int, bits: int, size: int) -> bytes:
    """All pixels there, or as many rows fewer as the size asks for."""
    row = (width * bits + 31) // 32 * 4
    rows = max(1, min(abs(height), (size - 1_200) // row))
    return bmp(width, rows if height > 0 else -rows, bits, bytes(row * rows))


def os2(width: int, height: int, size: int) -> bytes:
    """A file with the header of OS/2 1.x, 24 bits a pixel."""
    row = (width * 24 + 31) // 32 * 4
    rows = max(1, min(height, (size - 100) // row))
    head = struct.pack("<IHHHH", 12, width, rows, 1, 24)
    return b"BM" + struct.pack("<IHHI", 26 + row * rows, 0, 0, 26) + head + bytes(row * rows)


def run_length(width: int, height: int, bits: int, unit: bytes, size: int) -> bytes:
    """`unit` again and again: as often as the picture has rows, or up to the size."""
    data = repeated(unit, min(size - 1_200, len(unit) * (height + 1))) + END
    return bmp(width, height, bits, data, RLE8 if bits == 8 else RLE4)


def runs(width: int, height: int, bits: int, length: int, size: int) -> bytes:
    """Rows of runs of `length` px."""
    row = bytes([length, 0x11]) * -(-width // length) + END_OF_LINE
    data = repeated(row, min(size - 1_200, len(row) * height)) + END
    return bmp(width, height, bits, data, RLE8 if bits == 8 else RLE4)


UNITS = {
    "a pixel and a line end": b"\1\1" + END_OF_LINE,
    "a pixel and a delta of a row": b"\1\1" + DELTA + b"\0\1",
    "line ends": END_OF_LINE,
    "deltas of 0": DELTA + b"\0\0",
    "deltas of a row": DELTA + b"\0\1",
    "empty runs": b"\1\0",
    "absolute runs": b"\0\4abcd",
}


def bombs(area_px: int, longest_px: int) -> Iterator[Bomb]:
    """All of BMP's, at the limits of area and side."""
    for what, (width, height) in sides(area_px, longest_px).items():
        over = what.startswith("over")
        for bits in (8, 4):
            for name, unit in UNITS.items():
                full = f"RLE of {bits} bits, {name}, {what}"
                yield Bomb(full, partial(run_length, width, height, bits, unit), over=over)
            for length in (1, 255):
                yield Bomb(f"RLE of {bits} bits, runs of {length}, {what}", partial(runs, width, height, bits, length))
        for bits in (1, 4, 8, 16, 24, 32):
            yield Bomb(f"{bits} bits, {what}", partial(plain, width, height, bits), grows=True)
        yield Bomb(f"rows from the top, {what}", partial(plain, width, -height, 1), grows=True)
        if max(width, height) <= longest_px:
            yield Bomb(f"OS/2, {what}", partial(os2, width, height), grows=True)
    for bits in (8, 4):
        for name, unit in UNITS.items():
            make = partial(run_length, 100, longest_px * 1_000, bits, unit)
            yield Bomb(f"RLE of {bits} bits, {name}, to the end", partial(_short, make), grows=True)
    yield Bomb("pixels far behind", lambda size: bmp(8, 8, 24, bytes(size - 1_200), offset=size - 400), grows=True)
    yield Bomb("bit fields", lambda _: bmp(1_000, 1_000, 32, bytes(4_000_000), BITFIELDS))


def _short(make: partial[bytes], size: int) -> bytes:
    """The same codes in a picture of 100x100 px."""
    data = bytearray(make(size))
    data[22:26] = struct.pack("<i", 100)
    return bytes(data)
