"""PNG: only the checksums of what changes pixels decide, and everything else is dropped."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from chalicelib.errors import ImageTooLarge, UndecodableImage
from chalicelib.inference.containers import png
from tests.support.pictures import PNG_SIGNATURE, chunk, encode, exif, png_claiming, quarters

DECOMPRESS = zlib.decompressobj
PLAIN = encode(quarters())
BEFORE_PIXELS = PLAIN.index(b"IDAT") - 4
END = len(PLAIN) - 12
ANCILLARY = [
    b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"gAMA", b"cHRM", b"pHYs", b"tIME", b"sRGB", b"sBIT", b"bKGD", b"hIST",
    b"sPLT", b"prVt", b"acTL", b"fcTL", b"caBX",
]  # fmt: skip


def broken_checksum(part: bytes) -> bytes:
    return part[:-1] + bytes([part[-1] ^ 1])


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data), formats=["PNG"]).convert("RGBA"))


@pytest.mark.parametrize("at", [BEFORE_PIXELS, END], ids=["before the pixels", "behind them"])
class TestWhatIsDropped:
    @pytest.mark.parametrize("name", ANCILLARY, ids=bytes.decode)
    @pytest.mark.parametrize("payload", [b"", b"x", b"\xff" * 40], ids=["empty", "short", "nonsense"])
    def test_ancillary_chunks_whatever_they_hold(self, at, name, payload):
        part = broken_checksum(chunk(name, payload))
        assert png.strip(PLAIN[:at] + part + PLAIN[at:]) == png.strip(PLAIN)

    def test_a_profile_that_decompresses_to_megabytes(self, at):
        part = chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(5_000_000)))
        assert png.strip(PLAIN[:at] + part + PLAIN[at:]) == png.strip(PLAIN)


class TestWhatIsKept:
    @pytest.mark.parametrize(
        ("image", "options"),
        [
            (quarters().convert("P"), {"transparency": 3}),
            (quarters().convert("P"), {"transparency": bytes(range(0, 256, 2))}),
            (quarters().convert("L"), {"transparency": 90}),
            (quarters(), {"transparency": (220, 30, 30)}),
            (quarters().convert("1"), {}),
            (quarters().convert("RGBA"), {}),
            (quarters().convert("I;16"), {}),
        ],
        ids=["P", "P of alphas", "L", "RGB", "1", "RGBA", "16 bits"],
    )
    def test_every_mode(self, image, options):
        data = encode(image, **options)
        assert np.array_equal(pixels(png.strip(data).data), pixels(data))

    @pytest.mark.parametrize("name", [b"IHDR", b"PLTE", b"tRNS"], ids=bytes.decode)
    def test_their_checksums_count(self, name):
        data = encode(quarters().convert("P"), transparency=3)
        at = data.index(name)
        end = at + 8 + int.from_bytes(data[at - 4 : at], "big")
        damaged = png.strip(data[: at - 4] + broken_checksum(data[at - 4 : end]) + data[end:]).data
        with pytest.raises(OSError, match="cannot identify"):
            Image.open(io.BytesIO(damaged), formats=["PNG"])

    def test_a_transparency_of_more_entries_than_a_palette_has_is_ignored(self):
        data = encode(quarters().convert("P"))
        at = data.index(b"IDAT") - 4
        assert png.strip(data[:at] + chunk(b"tRNS", bytes(257)) + data[at:]) == png.strip(data)

    def test_pixels_end_where_another_chunk_begins(self):
        more = chunk(b"tEXt", b"between") + chunk(b"IDAT", b"more")
        assert png.strip(PLAIN[:END] + more + PLAIN[END:]) == png.strip(PLAIN)

    def test_of_an_animation_the_first_frame(self):
        frames = [quarters(), quarters().rotate(180), quarters().rotate(90)]
        data = encode(frames[0], save_all=True, append_images=frames[1:], duration=50)
        stripped = png.strip(data)
        assert b"fdAT" in data and b"fdAT" not in stripped.data
        assert np.array_equal(pixels(stripped.data), pixels(encode(quarters())))


class TestBounds:
    def test_what_is_counted(self):
        stripped = png.strip(png_claiming(100, 50, depth=16, color_type=6))
        assert (stripped.width, stripped.height, stripped.work, stripped.parts) == (100, 50, 50 * (800 + 1), 1)

    def test_chunks_are_bounded(self):
        with pytest.raises(ImageTooLarge, match="a PNG image of more than 100000 chunks"):
            png.strip(PLAIN[:BEFORE_PIXELS] + chunk(b"tEXt", b"") * 100_001 + PLAIN[BEFORE_PIXELS:])

    def test_pieces_of_the_pixels_are_parts(self):
        data = PLAIN[:BEFORE_PIXELS] + chunk(b"IDAT", b"") * 500 + PLAIN[BEFORE_PIXELS:]
        stripped = png.strip(data)
        assert (stripped.parts, stripped.data.count(b"IDAT")) == (500 + PLAIN.count(b"IDAT"), 1)
        assert np.array_equal(pixels(stripped.data), pixels(PLAIN))
        assert np.array_equal(pixels(png.strip(data).data), pixels(PLAIN))

    @pytest.mark.parametrize("cut", [8, 20, 33, BEFORE_PIXELS])
    def test_without_header_or_pixels_it_is_broken(self, cut):
        with pytest.raises(UndecodableImage, match="is broken or truncated"):
            png.strip(PLAIN[:cut])

    def test_a_chunk_without_a_name_before_the_pixels(self):
        with pytest.raises(UndecodableImage):
            png.strip(PLAIN[:BEFORE_PIXELS] + chunk(b"\0\0\0\0", b"") + PLAIN[BEFORE_PIXELS:])

    def test_cut_pixels_stay_cut(self):
        """An IEND behind them would be read as pixels."""
        cut = png.strip(PLAIN[: BEFORE_PIXELS + 60]).data
        assert not cut.endswith(b"IEND\xaeB`\x82")


class TestOrientation:
    @pytest.mark.parametrize("at", [BEFORE_PIXELS, END])
    def test_in_exif(self, at):
        part = chunk(b"eXIf", exif(6).removeprefix(b"Exif\0\0"))
        assert png.strip(PLAIN[:at] + part + PLAIN[at:]).orientation == 6

    @pytest.mark.parametrize("compressed", [False, True])
    def test_as_imagemagick_writes_it(self, compressed):
        raw = exif(8)
        text = f"\nexif\n{len(raw):8}\n{raw.hex()}\n"
        info = PngImagePlugin.PngInfo()
        info.add_text("Raw profile type exif", text, zip=compressed)
        assert png.strip(encode(quarters(), pnginfo=info)).orientation == 8

    @pytest.mark.parametrize("text", [b"", b"\n\n\nzz", b"\xff", b"\0x\x9c", b"\nexif\n 2\n4d4d"])
    @pytest.mark.parametrize("name", [b"tEXt", b"zTXt"])
    def test_a_damaged_profile_is_none(self, name, text):
        part = chunk(name, b"Raw profile type exif\0" + text)
        assert png.strip(PLAIN[:BEFORE_PIXELS] + part + PLAIN[BEFORE_PIXELS:]).orientation is None

    def test_only_the_first_profile_is_read(self, monkeypatch):
        """Each may decompress to hundreds of kB."""
        read = []
        monkeypatch.setattr(png.zlib, "decompressobj", lambda: read.append(1) or DECOMPRESS())
        part = chunk(b"zTXt", b"Raw profile type exif\0\0" + b"nonsense")
        assert png.strip(PLAIN[:BEFORE_PIXELS] + part * 1_000 + PLAIN[BEFORE_PIXELS:]).orientation is None
        assert len(read) == 1

    def test_xmp_is_the_last_resort(self):
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", "<x tiff:Orientation='1'><tiff:Orientation>5</tiff:Orientation></x>")
        assert png.strip(encode(quarters(), pnginfo=info)).orientation == 5


def test_the_signature_alone():
    with pytest.raises(UndecodableImage):
        png.strip(PNG_SIGNATURE)
