"""JPEG: many pixels, many scans, many segments. Source of the markers: ITU-T T.81, annexes B, F and G.

Every Huffman table here has one or two symbols, so that a block of zeros is one or two bits.
"""

import random
import struct
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice

from benchmarks.hostile.bombs.bomb import MEGAPIXEL, Bomb, repeated, sides

BASELINE, EXTENDED, PROGRESSIVE, LOSSLESS, ARITHMETIC, ARITHMETIC_PROGRESSIVE = 0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA
NAMES = {
    BASELINE: "baseline",
    EXTENDED: "extended",
    PROGRESSIVE: "progressive",
    LOSSLESS: "lossless",
    ARITHMETIC: "arithmetic",
    ARITHMETIC_PROGRESSIVE: "arithmetic progressive",
}
SOI, EOI = b"\xff\xd8", b"\xff\xd9"
GREY, COLOR, CMYK = (0x11,), (0x11, 0x11, 0x11), (0x11, 0x11, 0x11, 0x11)
HALVED, QUARTERED = (0x22, 0x11, 0x11), (0x41, 0x11, 0x11)
"""Sampling factors of each component."""


def segment(marker: int, body: bytes) -> bytes:
    """A marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def quantizers() -> bytes:
    """One table of ones."""
    return segment(0xDB, b"\0" + b"\1" * 64)


def huffman(kind: int, symbols: bytes) -> bytes:
    """A table of at most three symbols, with codes of 1, 2 and 3 bits; `kind` is 0x00 for DC and 0x10 for AC."""
    lengths = bytes(1 if n < len(symbols) else 0 for n in range(16))
    return segment(0xC4, bytes([kind]) + lengths + symbols)


def frame(kind: int, width: int, height: int, sampling: tuple[int, ...], bits: int = 8) -> bytes:
    """The frame header; each component uses table 0."""
    components = b"".join(bytes([number, factors, 0]) for number, factors in enumerate(sampling, 1))
    return segment(kind, struct.pack(">BHHB", bits, height, width, len(sampling)) + components)


def scan(components: tuple[int, ...], first: int, last: int, bits: int, data: bytes = b"") -> bytes:
    """A scan of the coefficients `first` to `last`; `bits` are Ah and Al. Without data, a decoder reads zeros."""
    chosen = b"".join(bytes([number, 0]) for number in components)
    return segment(0xDA, bytes([len(components)]) + chosen + bytes([first, last, bits])) + data


def tables() -> bytes:
    """Quantisation, DC with the symbol 0, AC with the symbols end of block and a run of 32,767 of them."""
    return quantizers() + huffman(0x00, b"\0") + huffman(0x10, b"\0\xe0")


def sequential(
    kind: int, width: int, height: int, sampling: tuple[int, ...], _: int = 0, filled: bool = True, bits: int = 8
) -> bytes:
    """One scan of zeros; `filled` has all of its bits."""
    blocks = -(-width // 8) * -(-height // 8) * len(sampling)
    data = bytes(blocks // 4 + 8) if filled else b""
    wanted = tuple(range(1, len(sampling) + 1))
    return SOI + tables() + frame(kind, width, height, sampling, bits) + scan(wanted, 0, 63, 0, data) + EOI


def several(kind: int, width: int, height: int, sampling: tuple[int, ...], scans: int, size: int = 0) -> bytes:
    """A progressive file of `scans` scans, without their data: first DC, then AC of one component after another.

    With `size`, as many as fit into it.
    """
    head = SOI + tables() + frame(kind, width, height, sampling)
    head += scan(tuple(range(1, len(sampling) + 1)), 0, 0, 0)
    rest = [scan((number,), 1, 63, 0) for number in range(1, len(sampling) + 1)]
    count = size // len(rest[0]) - 20 if size else scans - 1
    return head + b"".join(islice(cycle(rest), count)) + EOI


def separate(kind: int, width: int, height: int, sampling: tuple[int, ...], _: int = 0) -> bytes:
    """A file that is not progressive, with a scan for each component."""
    blocks = -(-width // 8) * -(-height // 8)
    data = bytes(blocks // 4 + 8) if kind == BASELINE else b""
    scans = b"".join(scan((number,), 0, 63, 0, data) for number in range(1, len(sampling) + 1))
    return SOI + tables() + frame(kind, width, height, sampling) + scans + EOI


def noisy(kind: int, size: int) -> bytes:
    """Random data to the size, for a picture in colour that takes about all of them; the codes of AC have 8 bits."""
    rng = random.Random(kind)
    side = int(min(size * 2, 8 * MEGAPIXEL) ** 0.5)
    lengths = bytes([0] * 7 + [255] + [0] * 8)
    ac = segment(0xC4, b"\x10" + lengths + bytes(n for n in range(256) if n != 0xF0))
    dc = segment(0xC4, b"\0" + bytes([0] * 3 + [12] + [0] * 12) + bytes(range(12)))
    head = SOI + quantizers() + dc + ac + frame(kind, side, side, COLOR)

    def noise(share: int) -> bytes:
        return rng.randbytes((size - 1_200) // share).replace(b"\xff", b"\xfe")

    if kind in (BASELINE, ARITHMETIC):
        return head + scan((1, 2, 3), 0, 63, 0, noise(1)) + EOI
    parts = [scan((1, 2, 3), 0, 0, 0, noise(4)), *(scan((number,), 1, 63, 0, noise(4)) for number in (1, 2, 3))]
    return head + b"".join(parts) + EOI


def restarting(width: int, height: int, _: int) -> bytes:
    """A restart marker after each block."""
    blocks = -(-width // 8) * -(-height // 8)
    marks = b"".join(b"\0" + bytes([0xFF, 0xD0 + number % 8]) for number in range(8)) * (blocks // 8 + 1)
    head = SOI + tables() + segment(0xDD, b"\0\1") + frame(BASELINE, width, height, GREY)
    return head + scan((1,), 0, 63, 0, marks) + EOI


def stuffed(part: bytes, size: int, before_frame: bool = True) -> bytes:
    """A picture of 8x8 px with `part` repeated before its frame, or before its scan."""
    first, second = tables(), frame(BASELINE, 8, 8, GREY)
    stuffing = repeated(part, size - 800)
    head = first + stuffing + second if before_frame else first + second + stuffing
    return SOI + head + scan((1,), 0, 63, 0, b"\0\0") + EOI


def trailed(part: bytes, size: int) -> bytes:
    """A picture of 8x8 px, and behind its end `part` repeated."""
    return sequential(BASELINE, 8, 8, GREY) + repeated(part, size - 800)


PARTS = {
    "empty EXIF segments": segment(0xE1, b"Exif\0\0"),
    "EXIF segments of 1 byte": segment(0xE1, b"Exif\0\0M"),
    "large EXIF segments": segment(0xE1, b"Exif\0\0" + bytes(65_000)),
    "XMP segments": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"x" * 40),
    "empty application segments": segment(0xE5, b""),
    "Photoshop segments": segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\0"),
    "MPO segments": segment(0xE2, b"MPF\0II*\0\x08\0\0\0\0\0\0\0\0\0"),
    "colour profiles": segment(0xE2, b"ICC_PROFILE\0\1\1" + b"x"),
    "JFIF segments": segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
    "Adobe segments": segment(0xEE, b"Adobe\0d\0\0\0\0\0"),
    "empty comments": segment(0xFE, b""),
    "large comments": segment(0xFE, bytes(65_000)),
    "fill bytes": b"\xff",
    "stray bytes": b"\0",
    "quantisation tables": segment(0xDB, b"\0" + b"\1" * 64),
    "Huffman tables": huffman(0x10, b"\0\xe0"),
    "empty Huffman segments": segment(0xC4, b""),
    "restart intervals": segment(0xDD, b"\0\0"),
    "arithmetic conditioning": segment(0xCC, b"\0\x10"),
    "frames": frame(BASELINE, 8, 8, GREY),
    "starts of image": SOI,
    "reserved markers": b"\xff\x01",
}


def bombs(area_px: int, progressive_area_px: int, longest_px: int, scans: int) -> Iterator[Bomb]:
    """All of JPEG's, at the limits of area, side and number of scans."""
    for what, (width, height) in sides(area_px, longest_px).items():
        over = what.startswith("over")
        for sampling, color in ((GREY, "grey"), (COLOR, "colour"), (CMYK, "CMYK"), (HALVED, "4:2:0")):
            yield Bomb(f"baseline, {color}, {what}", partial(sequential, BASELINE, width, height, sampling), over=over)
        yield Bomb(f"baseline, empty scan, {what}", partial(_empty, BASELINE, width, height), over=over)
        yield Bomb(f"arithmetic, {what}", partial(_empty, ARITHMETIC, width, height), over=over)
        yield Bomb(f"restarts, {what}", partial(restarting, width, height), over=over)
    for what, (width, height) in sides(progressive_area_px, longest_px).items():
        for kind in (PROGRESSIVE, ARITHMETIC_PROGRESSIVE):
            for sampling, color in ((GREY, "grey"), (COLOR, "colour"), (CMYK, "CMYK")):
                for count in (10, scans):
                    make = _scans(kind, width, height, sampling, count)
                    over = what.startswith("over")
                    yield Bomb(f"{NAMES[kind]}, {color}, {count} scans, {what}", make, over=over)
    yield from _more_scans(scans)
    for name, part in PARTS.items():
        yield Bomb(f"{name} before the frame", partial(stuffed, part), grows=True)
        yield Bomb(f"{name} before the scan", partial(stuffed, part, before_frame=False), grows=True)
        yield Bomb(f"{name} behind the end", partial(trailed, part), grows=True)
    for kind in (BASELINE, PROGRESSIVE, ARITHMETIC, ARITHMETIC_PROGRESSIVE):
        yield Bomb(f"{NAMES[kind]}, random data", partial(noisy, kind), grows=True)
    for kind in (BASELINE, ARITHMETIC):
        for side in (1_000, 5_000):
            yield Bomb(
                f"{NAMES[kind]}, a scan for each component, {side} px", partial(separate, kind, side, side, CMYK)
            )
    for bits, kind in ((12, BASELINE), (12, EXTENDED), (8, LOSSLESS), (16, LOSSLESS)):
        yield Bomb(f"{NAMES[kind]} of {bits} bits", partial(sequential, kind, 3_000, 3_000, COLOR, bits=bits))
    yield Bomb("sampling 4x1", partial(sequential, BASELINE, longest_px, 2_000, QUARTERED))


def _more_scans(scans: int) -> Iterator[Bomb]:
    for side in (8, 500, 1_000, 2_000):
        for kind in (PROGRESSIVE, ARITHMETIC_PROGRESSIVE):
            for count, over in ((scans // 2, False), (scans, False), (scans + 1, True)):
                make = _scans(kind, side, side, COLOR, count)
                yield Bomb(f"{NAMES[kind]}, {side} px, {count} scans", make, over=over)
            yield Bomb(f"{NAMES[kind]}, {side} px, all scans", partial(several, kind, side, side, COLOR, 0), grows=True)
    for megapixels in (1, 2, 5, 10, 20, 30):
        side = int((megapixels * MEGAPIXEL) ** 0.5)
        for kind in (PROGRESSIVE, ARITHMETIC_PROGRESSIVE):
            for count in (2, 5, 10, 20, 50, scans):
                yield Bomb(f"{NAMES[kind]}, {megapixels} MP, {count} scans", _scans(kind, side, side, COLOR, count))


def _scans(kind: int, width: int, height: int, sampling: tuple[int, ...], count: int) -> Callable[[int], bytes]:
    return lambda _: several(kind, width, height, sampling, count)


def _empty(kind: int, width: int, height: int, _: int) -> bytes:
    return sequential(kind, width, height, COLOR, filled=False)
