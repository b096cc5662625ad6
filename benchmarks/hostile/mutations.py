"""Mutations of a file's bytes: what fuzzers do, and what the formats invite to (lengths, chunks, checksums)."""

import random
import struct
import zlib
from collections.abc import Callable, Sequence

from benchmarks.hostile.plain import format_of

INTERESTING = [0, 1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1]
CHUNK_LIMIT_BYTES = 4_096
"""The longest piece that a mutation inserts or repeats."""

Mutation = Callable[[bytearray, random.Random, Sequence[bytes]], None]


def mutant(seeds: Sequence[bytes], seed: int, number: int) -> bytes:
    """The mutant with this number: one of the seeds, changed one to six times; the same each time."""
    rng = random.Random(seed * 1_000_000_007 + number)
    data = bytearray(rng.choice(seeds))
    for _ in range(1 + int(rng.expovariate(1.0)) % 6):
        rng.choice(MUTATIONS)(data, rng, seeds)
    if data[:4] == b"\x89PNG" and rng.random() < 0.7:
        return with_checksums(bytes(data))
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    """Half of the time in the first 64 bytes, where headers are."""
    return rng.randrange(min(64, len(data)) if rng.random() < 0.5 else len(data)) if data else 0


def _length(rng: random.Random) -> int:
    return min(int(rng.paretovariate(0.6)), CHUNK_LIMIT_BYTES)


def flip_bit(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    """One bit is the other one."""
    if data:
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def overwrite(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    """Some bytes are random."""
    place = _place(data, rng)
    data[place : place + 8] = rng.randbytes(min(_length(rng), 8))


def number_field(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    """Two or four bytes are a number at an edge, in either order: lengths, sides, offsets, counts."""
    order, kind = rng.choice("<>"), rng.choice("BHI")
    value = rng.choice(INTERESTING) & (256 ** struct.calcsize(kind) - 1)
    place = _place(data, rng)
    data[place : place + struct.calcsize(kind)] = struct.pack(order + kind, value)


def delete(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    """A piece is missing."""
    place = _place(data, rng)
    del data[place : place + _length(rng)]


def insert(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    """Bytes stand between: random ones, or the same one again and again."""
    length, place = _length(rng), _place(data, rng)
    data[place:place] = rng.randbytes(length) if rng.random() < 0.5 else bytes([rng.choice((0, 255, 33))]) * length


def repeat(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    """A piece stands there twice or more often."""
    place = _place(data, rng)
    piece = bytes(data[place : place + _length(rng)])
    data[place:place] = piece * rng.choice((1, 1, 2, 10))


def truncate(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    """The end is missing."""
    if data:
        del data[rng.randrange(len(data)) :]


def splice(data: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    """From one place on it is another file."""
    other = rng.choice(seeds)
    data[_place(data, rng) :] = other[rng.randrange(len(other)) :]


def chunks(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    """A chunk or segment is repeated, dropped, or stands elsewhere."""
    parts = pieces(bytes(data))
    if len(parts) < 3:
        return
    at, to = rng.randrange(1, len(parts)), rng.randrange(1, len(parts))
    taken = parts[at] if rng.random() < 0.5 else parts.pop(at)
    if rng.random() < 0.8:
        parts.insert(to, taken)
    data[:] = b"".join(parts)


MUTATIONS: list[Mutation] = [
    *(flip_bit, flip_bit, overwrite, number_field, number_field, number_field),
    *(delete, insert, repeat, truncate, splice, chunks, chunks),
]


def pieces(data: bytes) -> list[bytes]:
    """A file in its parts: PNG's chunks, JPEG's segments, RIFF's chunks; other files in one part."""
    kind = format_of(data)
    starts = {"PNG": 8, "JPEG": 2, "WEBP": 12}
    if kind not in starts:
        return [data]
    place, found = starts[kind], [data[: starts[kind]]]
    while place + 8 <= len(data) and len(found) < 1_000:
        if kind == "PNG":
            end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        elif kind == "WEBP":
            length = int.from_bytes(data[place + 4 : place + 8], "little")
            end = place + 8 + length + length % 2
        elif data[place + 1] == 0xDA:
            break
        else:
            end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        found.append(data[place:end])
        place = end
    return [*found, data[place:]]


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums of their contents, so that what was changed in them is read."""
    parts = pieces(data)
    mended = [
        part[:-4] + struct.pack(">I", zlib.crc32(part[4:-4])) if len(part) >= 12 else part for part in parts[1:-1]
    ]
    return parts[0] + b"".join(mended) + parts[-1]
