"""GIF: screens, frames, LZW streams of nothing, blocks of one byte. Source: GIF89a specification, CompuServe 1990."""

import struct
from collections.abc import Iterator
from functools import partial

from benchmarks.hostile.bombs.bomb import Bomb, repeated, sides

COMMENT, CONTROL, APPLICATION = b"\x21\xfe", b"\x21\xf9\x04", b"\x21\xff\x0b"
TRAILER = b"\x3b"


def screen(width: int, height: int) -> bytes:
    """The header, with a palette of black and white."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"


def blocks(data: bytes, length: int = 255) -> bytes:
    """The data in sub-blocks, and the empty one that ends them."""
    return (
        b"".join(bytes([len(data[n : n + length])]) + data[n : n + length] for n in range(0, len(data), length)) + b"\0"
    )


def image(width: int, height: int, data: bytes, interlaced: bool = False, length: int = 255) -> bytes:
    """One frame at the screen's corner; codes of 3 bits at first (2 bits a pixel)."""
    place = struct.pack("<BHHHHB", 0x2C, 0, 0, width, height, 0x40 if interlaced else 0)
    return place + b"\x02" + blocks(data, length)


def growing_codes(pixels: int) -> bytes:
    """An LZW stream of one colour in which each code stands for one pixel more than the one before."""
    value, place, out = 4, 3, bytearray()  # a clear code first
    size, following, written, length = 3, 6, 0, 0
    while written < pixels:
        value |= (following if length else 0) << place
        place += size
        following += length > 0
        length += 1
        written += length
        if following == 1 << size and size < 12:
            size += 1
        if following >= 4_095:
            value |= 4 << place
            place += size
            size, following, length = 3, 6, 0
        while place >= 8:
            out.append(value & 255)
            value >>= 8
            place -= 8
    return bytes(out) + (value | 5 << place).to_bytes(4, "little")


def whole(width: int, height: int, interlaced: bool, _: int) -> bytes:
    """A frame of one colour, all of its pixels there."""
    return screen(width, height) + image(width, height, growing_codes(width * height), interlaced) + TRAILER


def claiming(width: int, height: int, shown: tuple[int, int], _: int) -> bytes:
    """A large screen and a small frame, or the reverse."""
    return screen(width, height) + image(*shown, growing_codes(shown[0] * shown[1])) + TRAILER


def clears(length: int, size: int) -> bytes:
    """An LZW stream of clear codes only, in sub-blocks of `length` bytes."""
    data = b"\x24\x49\x92" * ((size - 100) * length // (length + 1) // 3)  # 4, 4, 4, ... in 3 bits each
    return screen(8, 8) + image(8, 8, data, length=length) + TRAILER


def frames(width: int, height: int, controlled: bool, size: int) -> bytes:
    """A tiny frame again and again on a large screen."""
    one = image(1, 1, growing_codes(1))
    control = CONTROL + bytes([0x09, 1, 0, 0, 0]) if controlled else b""
    return screen(width, height) + repeated(control + one, size - 100) + TRAILER


def stuffed(part: bytes, size: int) -> bytes:
    """A frame of 8x8 px with `part` repeated before it."""
    return screen(8, 8) + repeated(part, size - 200) + image(8, 8, growing_codes(64)) + TRAILER


PARTS = {
    "empty comments": COMMENT + b"\0",
    "comments": COMMENT + blocks(bytes(60_000)),
    "comments in blocks of 1 byte": COMMENT + blocks(bytes(60_000), 1),
    "controls": CONTROL + bytes(5),
    "applications": APPLICATION + b"NETSCAPE2.0" + blocks(b"\1\0\0"),
    "unknown extensions": b"\x21\x99\0",
    "stray bytes": b"\0",
}


def bombs(area_px: int, longest_px: int) -> Iterator[Bomb]:
    """All of GIF's, at the limits of area and side."""
    for what, (width, height) in sides(area_px, longest_px).items():
        over = what.startswith("over")
        for interlaced in (False, True):
            name = f"one colour{', interlaced' if interlaced else ''}, {what}"
            yield Bomb(name, partial(whole, width, height, interlaced), over=over)
        yield Bomb(f"screen only, {what}", partial(claiming, width, height, (8, 8)), over=over)
        yield Bomb(f"frame only, {what}", partial(claiming, 8, 8, (width, height)), over=over)
        for controlled in (False, True):
            name = f"{'controlled' if controlled else 'plain'} frames, {what}"
            yield Bomb(name, partial(frames, width, height, controlled), grows=True, over=over)
    yield Bomb("screen of 65,535 px", partial(claiming, 65_535, 65_535, (8, 8)), over=True)
    for length in (1, 255):
        yield Bomb(f"clear codes in blocks of {length}", partial(clears, length), grows=True)
    for name, part in PARTS.items():
        yield Bomb(f"{name} before the frame", partial(stuffed, part), grows=True)
