"""The orientation in a TIFF header agrees with Pillow's, and nothing that is malformed raises."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chalicelib.inference.containers.orientation import MAX_ENTRIES, of_exif, of_xmp
from tests.support.pictures import exif, exif_entry


def tiff(order: str, *entries: tuple[int, int, int, bytes], first: int = 8) -> bytes:
    """A TIFF header with one directory."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", first) + bytes(first - 8)
    body = b"".join(struct.pack(order + "HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return head + struct.pack(order + "H", len(entries)) + body + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0", b"Exif\0\0Exif\0\0"])
def test_short_in_either_byte_order(order, orientation, prefix):
    entries = [(0x010F, 2, 4, b"abc\0"), (0x0112, 3, 1, struct.pack(order + "HH", orientation, 0))]
    data = prefix + tiff(order, *entries, first=20)
    assert of_exif(data) == orientation == Image.Exif.get(_exif(data), 0x0112)


def _exif(data: bytes) -> Image.Exif:
    read = Image.Exif()
    read.load(data)
    return read


def test_long_counts_as_well():
    assert of_exif(tiff("<", (0x0112, 4, 1, struct.pack("<I", 6)))) == 6


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_no_such_orientation(value):
    assert of_exif(exif(value)) is None


@pytest.mark.parametrize("entry", [(2, 2, b"6\0\0\0"), (7, 1, b"\6\0\0\0"), (5, 1, b"\0\0\0\x70"), (3, 2, b"\0\6\0\6")])
def test_of_the_wrong_type_or_count(entry):
    assert of_exif(exif_entry(*entry)) is None


def test_it_is_read_in_a_moment_whatever_its_size():
    """Looking for the end of the prefixes would copy the rest each time."""
    assert of_exif(b"Exif\0\0" * 5_000_000) is None
    assert of_exif(b"MM\0*\0\x0f\xff\xff" + bytes(2_000_000)) is None


def test_entries_are_bounded():
    other, own = (0x0100, 3, 1, bytes(4)), (0x0112, 3, 1, b"\0\6\0\0")
    assert of_exif(tiff(">", *[other] * (MAX_ENTRIES - 1), own)) == 6
    assert of_exif(tiff(">", *[other] * MAX_ENTRIES, own)) is None


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    head=st.sampled_from([b"II*\0", b"MM\0*", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b""]), rest=st.binary(max_size=60)
)
def test_whatever_follows_gives_an_orientation_or_none(head, rest):
    assert of_exif(head + rest) in (None, *range(1, 9))


@pytest.mark.parametrize(
    ("packet", "orientation"),
    [
        (b'<a tiff:Orientation="6"/>', 6),
        (b"<tiff:Orientation>8</tiff:Orientation>", 8),
        (b'<a tiff:Orientation="0"/>', None),
        (b"", None),
    ],
)
def test_xmp(packet, orientation):
    assert of_xmp(packet) == orientation
