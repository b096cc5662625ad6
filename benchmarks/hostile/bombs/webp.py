"""WebP: headers that promise much, animations, chunks. Source: RFC 9649."""

import struct
from collections.abc import Iterator
from functools import partial

from benchmarks.hostile.bombs.bomb import Bomb, repeated, sides

ALPHA, ANIMATED, PROFILE, EXIF, XMP = 0x10, 0x02, 0x20, 0x08, 0x04


def chunk(name: bytes, body: bytes) -> bytes:
    """One RIFF chunk, padded to an even length."""
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def riff(*chunks: bytes) -> bytes:
    """The file around its chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def lossless(width: int, height: int, alpha: bool = False) -> bytes:
    """VP8L of one colour: every code has one symbol, so that a pixel takes no bits (RFC 9649, 3.7)."""
    bits = (width - 1) | (height - 1) << 14 | alpha << 28
    # no transform, no colour cache, no meta codes; five simple codes of one symbol of one bit each
    fields = [(0, 1), (0, 1), (0, 1), *[(1, 1), (0, 1), (0, 1), (0, 1)] * 5]
    data, place = 0, 0
    for value, size in fields:
        data |= value << place
        place += size
    return chunk(b"VP8L", b"\x2f" + struct.pack("<I", bits) + data.to_bytes(8, "little"))


def lossy(width: int, height: int) -> bytes:
    """A VP8 key frame whose partitions are zeros (RFC 6386, 9.1)."""
    blocks = -(-width // 16) * -(-height // 16)
    first, second = bytes(blocks * 2 + 64), bytes(blocks * 4 + 64)
    tag = (len(first) << 5) | 1 << 4  # a key frame that is shown
    head = struct.pack("<I", tag)[:3] + b"\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return chunk(b"VP8 ", head + first + second)


def extended(width: int, height: int, flags: int) -> bytes:
    """VP8X: the canvas and what follows."""
    return chunk(b"VP8X", bytes([flags, 0, 0, 0]) + _three(width - 1) + _three(height - 1))


def animated(width: int, height: int, inner: int, size: int) -> bytes:
    """Frames of `inner` px until the file is full, on a canvas of width x height px."""
    shown = bytes(6) + _three(inner - 1) + _three(inner - 1) + _three(100) + b"\0"
    frames = repeated(chunk(b"ANMF", shown + lossless(inner, inner)), size - 200)
    return riff(extended(width, height, ANIMATED), chunk(b"ANIM", bytes(6)), frames)


def stuffed(part: bytes, flags: int, size: int) -> bytes:
    """A picture of 8x8 px with `part` repeated before its pixels."""
    return riff(extended(8, 8, flags), repeated(part, size - 100), lossless(8, 8))


def trailed(part: bytes, flags: int, size: int) -> bytes:
    """The same behind its pixels."""
    return riff(extended(8, 8, flags), lossless(8, 8), repeated(part, size - 100))


def with_alpha(width: int, height: int, _: int) -> bytes:
    """A lossy picture with a compressed alpha plane, which is a lossless picture without its header."""
    plane = lossless(width, height)[8 + 5 :]
    return riff(extended(width, height, ALPHA), chunk(b"ALPH", b"\x01" + plane), lossy(width, height))


def _three(number: int) -> bytes:
    return struct.pack("<I", number)[:3]


PARTS = {
    "unknown chunks": (chunk(b"abcd", b""), 0),
    "colour profiles": (chunk(b"ICCP", b"x" * 100), PROFILE),
    "EXIF": (chunk(b"EXIF", b"II*\0\x08\0\0\0\0\0\0\0\0\0"), EXIF),
    "XMP": (chunk(b"XMP ", b"x" * 100), XMP),
    "alpha planes": (chunk(b"ALPH", b"\0"), ALPHA),
    "canvases": (extended(8, 8, 0), 0),
    "pictures": (lossless(8, 8), 0),
}


def bombs(area_px: int, longest_px: int) -> Iterator[Bomb]:
    """All of WebP's; its own longest side is 16,383 px for lossy and 16,384 for lossless pictures."""
    for what, (width, height) in sides(area_px, min(longest_px, 16_383)).items():
        over = what == "over the area"  # 16,384 px a side is not over this project's limit
        for alpha in (False, True):
            name = f"lossless{' with alpha' if alpha else ''}, {what}"
            yield Bomb(name, lambda _, w=width, h=height, a=alpha: riff(lossless(w, h, a)), over=over)  # type: ignore[misc]
        if max(width, height) <= 16_383:
            yield Bomb(f"lossy, {what}", lambda _, w=width, h=height: riff(lossy(w, h)), over=over)  # type: ignore[misc]
            yield Bomb(f"lossy with alpha, {what}", partial(with_alpha, width, height), over=over)
            yield Bomb(f"animated, full frames, {what}", partial(_animated, width, height), over=over)
            yield Bomb(f"animated, tiny frames, {what}", partial(animated, width, height, 1), grows=True, over=over)
    for name, (part, flags) in PARTS.items():
        yield Bomb(f"{name} before the pixels", partial(stuffed, part, flags), grows=True)
        yield Bomb(f"{name} behind the pixels", partial(trailed, part, flags), grows=True)


def _animated(width: int, height: int, _: int) -> bytes:
    """Ten frames as large as the canvas."""
    shown = bytes(6) + _three(width - 1) + _three(height - 1) + _three(100) + b"\0"
    frames = chunk(b"ANMF", shown + lossless(width, height)) * 10
    return riff(extended(width, height, ANIMATED), chunk(b"ANIM", bytes(6)), frames)
