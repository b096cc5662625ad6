"""What a bomb is, and the bytes that several formats share."""

import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

API_BYTES = 4_400_000
"""The largest picture that an API request can hold: 6 MB in base64 (AWS Lambda quotas)."""
STORED_BYTES = 32 * 2**20
"""The largest object of a batch (`Settings.max_object_bytes`)."""
MEGAPIXEL = 1_000_000


class Bomb(NamedTuple):
    """One picture. `make` takes the number of bytes that it may have; a bomb that does not grow ignores it."""

    name: str
    make: Callable[[int], bytes]
    grows: bool = False
    over: bool = False
    """Whether it is over a limit, so that an answer of 200 is wrong."""


def sides(area_px: int, longest_px: int) -> dict[str, tuple[int, int]]:
    """Width and height of pictures at, under and over the limits of area and side; the rest are thin ones."""
    side = int(area_px**0.5)
    return {
        "half the area": (side, side // 2),
        "the area": (side, side),
        "over the area": (side + 1, side + 1),
        "a long row": (longest_px, max(1, min(area_px // longest_px, longest_px))),
        "a long column": (max(1, min(area_px // longest_px, longest_px)), longest_px),
        "1 px wide": (1, longest_px),
        "1 px high": (longest_px, 1),
        "over a side": (longest_px + 1, 1),
    }


def repeated(part: bytes, size: int) -> bytes:
    """`part` as often as it fits into `size` bytes."""
    return part * max(0, size // len(part))


def deflated_zeros(size: int) -> bytes:
    """A zlib stream of `size` zeros (RFC 1950): a block of a million, again and again, then the rest and Adler-32."""
    deflate, million = zlib.compressobj(9, zlib.DEFLATED, -15), 1 << 20
    block = deflate.compress(bytes(million)) + deflate.flush(zlib.Z_FULL_FLUSH)
    rest = deflate.compress(bytes(size % million)) + deflate.flush()
    return b"\x78\xda" + block * (size // million) + rest + struct.pack(">HH", size % 65_521, 1)


def png_chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
