"""What zlib-ng and libspng decode is what Pillow decodes; whatever else is left to Pillow."""

import io
import random
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from chalicelib.errors import UndecodableImage
from chalicelib.inference import images, spng
from chalicelib.inference.card import InputSpec
from chalicelib.telemetry import Spans
from tests.support.pictures import PNG_SIGNATURE, chunk, encode, quarters

WIDTH, HEIGHT = 37, 23
SPEC = InputSpec(8, 6, "RGB", 1.0, (0.0,) * 3, (1.0,) * 3)
RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch):
    pytest.importorskip("pyspng")
    pytest.importorskip("zlib_ng")
    monkeypatch.setattr(spng, "MIN_BYTES", 0)
    monkeypatch.setattr(spng, "FIRST_BYTES", 0)


def rows_of(channels: int, filters: list[int]) -> bytes:
    """Random filtered rows; each filter's type stands before its row."""
    return b"".join(
        bytes([filters[i % len(filters)]]) + RNG.integers(0, 256, WIDTH * channels, np.uint8).tobytes()
        for i in range(HEIGHT)
    )


def png(stream: bytes, kind: int = 2, depth: int = 8, interlace: int = 0, between: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, kind, 0, 0, interlace)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + between + chunk(b"IDAT", stream) + chunk(b"IEND", b"")


def opened(data: bytes) -> tuple:
    stripped = images.strip(data)
    return stripped, Image.open(io.BytesIO(stripped.data), formats=["PNG"])


def by_pillow(image: Image.Image) -> Image.Image | None:
    try:
        image.load()
    except Exception:
        return None
    return image


@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [4, 3, 2, 1, 0]], ids=str)
@pytest.mark.parametrize("kind", [2, 6])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_each_filter_gives_pillows_pixels(filters, kind, level):
    data = png(zlib.compress(rows_of({2: 3, 6: 4}[kind], filters), level), kind)
    stripped, image = opened(data)
    got = spng.loaded(stripped, image)
    want = by_pillow(image)
    assert (got.mode, got.size) == (want.mode, want.size) == ({2: "RGB", 6: "RGBA"}[kind], (WIDTH, HEIGHT))
    assert got.tobytes() == want.tobytes()


ROWS = rows_of(3, [4, 1])
STREAM = zlib.compress(ROWS)
LEFT = {
    "a wrong checksum": png(STREAM[:-1] + bytes([STREAM[-1] ^ 1])),
    "no checksum": png(STREAM[:-4]),
    "bytes behind the stream": png(STREAM + b"more"),
    "a row too many": png(zlib.compress(ROWS + ROWS[: 1 + 3 * WIDTH])),
    "a byte too few": png(zlib.compress(ROWS[:-1])),
    "a filter that is none": png(zlib.compress(b"\5" + ROWS[1:])),
    "not compressed by zlib": png(b"\0" + STREAM[1:]),
    "cut off": png(STREAM)[:-30],
    "a palette": png(STREAM, between=chunk(b"PLTE", bytes(6))),
    "a transparent colour": png(STREAM, between=chunk(b"tRNS", bytes(6))),
    "interlaced": png(STREAM, interlace=1),
    "16 bits": png(zlib.compress(bytes((1 + 6 * WIDTH) * HEIGHT)), depth=16),
    "grey": encode(quarters(WIDTH, HEIGHT).convert("L"), "PNG"),
    "colours by number": encode(quarters(WIDTH, HEIGHT).quantize(), "PNG"),
}


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_to_pillow_is_answered_as_pillow_does(name, monkeypatch):
    assert spng.loaded(*opened(LEFT[name])) is None
    answers = []
    for load in (spng.loaded, lambda *_: None):
        monkeypatch.setattr(spng, "loaded", load)
        try:
            answers.append(images.pixels_of(LEFT[name], SPEC, Spans()).tobytes())
        except UndecodableImage as error:
            answers.append(str(error))
    assert answers[0] == answers[1]


def test_whatever_is_accepted_is_what_pillow_accepts():
    rng, accepted = random.Random(4), 0
    for _ in range(1_500):
        rows = bytearray(rows_of(3, [rng.randrange(5)]))
        if rng.random() < 0.2:
            rows[rng.randrange(HEIGHT) * (1 + 3 * WIDTH)] = rng.randrange(8)
        stream = bytearray(zlib.compress(bytes(rows), rng.choice((0, 1, 9))))
        if rng.random() < 0.5:
            stream[rng.choice((0, 1, -1, -4, rng.randrange(len(stream))))] ^= 1 << rng.randrange(8)
        data = png(bytes(stream) + rng.choice((b"", b"", b"x")))
        stripped, image = opened(data)
        got = spng.loaded(stripped, image)
        if got is not None:
            accepted += 1
            assert got.tobytes() == by_pillow(image).tobytes()
    assert 300 < accepted < 1_200


def test_by_size(monkeypatch):
    stripped, image = opened(png(STREAM))
    monkeypatch.setattr(spng, "MIN_BYTES", stripped.work)
    monkeypatch.setattr(spng, "FIRST_BYTES", stripped.work)
    assert spng.loaded(stripped, image) is not None
    monkeypatch.setattr(spng, "MAX_BYTES", stripped.work - 1)
    assert spng.loaded(stripped, image) is None
    monkeypatch.setattr(spng, "MAX_BYTES", stripped.work)
    monkeypatch.setattr(spng, "MIN_BYTES", stripped.work + 1)
    monkeypatch.setattr(spng, "FIRST_BYTES", stripped.work + 1)
    assert spng.loaded(stripped, image) is None


@pytest.mark.parametrize("missing", ["pyspng", "zlib_ng.zlib_ng"])
def test_without_the_libraries_pillow_decodes(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    stripped, image = opened(png(STREAM))
    assert spng.loaded(stripped, image) is None
    assert images.pixels_of(png(STREAM), SPEC, Spans()).shape == (6, 8, 3)


def test_nothing_is_inflated_beyond_the_rows():
    bomb = zlib.compress(bytes(50_000_000))
    stripped, image = opened(png(bomb))
    assert spng.loaded(stripped, image) is None
