"""WebP, GIF and BMP: the first frame, without metadata and trailers."""

import io

import numpy as np
import pytest
from PIL import Image

from chalicelib.errors import ImageTooLarge, UndecodableImage
from chalicelib.inference.containers import bmp, gif, webp
from tests.support.pictures import encode, exif, plain, quarters, riff, riff_chunk, run_length_bmp, webp_claiming

LOSSY, LOSSLESS = encode(quarters(), "WEBP"), encode(quarters(), "WEBP", lossless=True)
EXTENDED = encode(quarters().convert("RGBA"), "WEBP", exif=exif(6), xmp=b"<x/>", icc_profile=b"a profile")
FRAMES = [quarters(), quarters().rotate(180), quarters().rotate(90)]
GIF = encode(quarters(), "GIF")
IMAGE = 13 + 768
"""Where the first block of GIF begins: behind the screen and a palette of 256 colours."""


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


class TestWebP:
    @pytest.mark.parametrize("data", [LOSSY, LOSSLESS, EXTENDED], ids=["lossy", "lossless", "extended"])
    def test_the_pixels_stay(self, data):
        stripped = webp.strip(data + b"a trailer" * 1_000)
        assert np.array_equal(pixels(stripped.data), pixels(data))
        assert (stripped.width, stripped.height) == (64, 48)
        assert len(stripped.data) <= len(data)

    def test_metadata_is_dropped_and_the_orientation_kept(self):
        stripped = webp.strip(EXTENDED)
        assert stripped.orientation == 6
        assert not any(name in stripped.data for name in (b"ICCP", b"EXIF", b"XMP "))
        assert EXTENDED[20] & 0x2C == 0x2C and stripped.data[20] == EXTENDED[20] & ~0x2C  # VP8X promises none

    @pytest.mark.parametrize("cut", [1, 5, 20])
    def test_metadata_may_be_cut_off(self, cut):
        assert np.array_equal(pixels(webp.strip(EXTENDED[:-cut]).data), pixels(EXTENDED))

    def test_what_follows_the_frame_of_a_simple_file_is_ignored(self):
        """Also if it is damaged, apart from the chunk that follows at once: libwebp reads that one."""
        frame, note, cut = LOSSY[12:], riff_chunk(b"IART", b"artist"), b"ICOP\xff\xff\xff\0"
        assert webp.strip(riff(frame, note, cut)) == webp.strip(LOSSY)
        assert webp.strip(riff(frame, riff_chunk(b"ALPH", b"\0"))) == webp.strip(LOSSY)
        with pytest.raises(UndecodableImage):
            webp.strip(riff(frame, cut))

    def test_xmp_is_the_last_resort(self):
        data = encode(quarters(), "WEBP", xmp=b'<x tiff:Orientation="3"/>')
        assert webp.strip(data).orientation == 3

    @pytest.mark.parametrize("lossless", [False, True])
    def test_of_an_animation_the_first_frame(self, lossless):
        data = encode(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:], lossless=lossless)
        stripped = webp.strip(data)
        assert Image.open(io.BytesIO(stripped.data)).n_frames == 1
        assert np.array_equal(pixels(stripped.data), pixels(data))
        assert stripped.variant == ("lossless WebP" if lossless else "WebP")

    def test_an_odd_chunk_keeps_its_padding_byte(self):
        """libwebp reads it, if a damaged frame goes on too long."""
        data = riff(riff_chunk(b"VP8L", LOSSLESS[20:] + b"" if len(LOSSLESS) % 2 else LOSSLESS[20:-1]))
        assert webp.strip(data[:-1] + b"\x01").data[-1:] in (b"\x01", data[-1:])

    @pytest.mark.parametrize(
        ("data", "variant"), [(LOSSY, "WebP"), (LOSSLESS, "lossless WebP"), (webp_claiming(9, 9), "lossless WebP")]
    )
    def test_the_kind(self, data, variant):
        assert webp.strip(data).variant == variant

    @pytest.mark.parametrize("cut", [12, 16, 20, 24, 29, 200])
    def test_a_cut_frame_is_broken(self, cut):
        with pytest.raises(UndecodableImage, match="a WebP image of"):
            webp.strip(LOSSY[:cut])

    def test_chunks_are_bounded(self):
        canvas = riff_chunk(b"VP8X", b"\0\0\0\0" + b"\x3f\0\0" + b"\x2f\0\0")
        with pytest.raises(ImageTooLarge, match="a WebP image of more than 10000 chunks"):
            webp.strip(riff(canvas, riff_chunk(b"XMP ", b"") * 10_001))


class TestGif:
    def test_the_pixels_stay(self):
        stripped = gif.strip(GIF + b"a trailer" * 1_000)
        assert np.array_equal(pixels(stripped.data), pixels(GIF))
        assert (stripped.width, stripped.height, stripped.work) == (64, 48, 64 * 48)

    @pytest.mark.parametrize("interlace", [0, 1])
    def test_of_an_animation_the_first_frame(self, interlace):
        data = encode(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:], interlace=interlace)
        assert np.array_equal(pixels(gif.strip(data).data), pixels(encode(FRAMES[0], "GIF")))
        assert len(gif.strip(data).data) < len(data) // 2

    def test_comments_are_dropped_and_the_transparent_colour_kept(self):
        image = quarters().convert("P")
        data = encode(image, "GIF", transparency=image.getpixel((0, 0)))
        assert pixels(data)[..., 3].min() == 0
        at = 13 + (3 << (data[10] & 7) + 1)  # behind screen and palette
        comments = b"!\xfe" + b"\x05hello" * 1_000 + b"\0"
        got = gif.strip(data[:at] + comments + data[at:])
        assert np.array_equal(pixels(got.data), pixels(data))
        assert len(got.data) <= len(data)

    def test_bytes_between_blocks_are_skipped(self):
        assert gif.strip(GIF[:IMAGE] + bytes(900_000) + GIF[IMAGE:]) == gif.strip(GIF)

    @pytest.mark.parametrize(
        "parts", [b"!\xfe\0" * 200_001, b"!\xfe" + b"\1c" * 200_001 + b"\0"], ids=["empty", "of one byte"]
    )
    def test_blocks_are_bounded(self, parts):
        with pytest.raises(ImageTooLarge, match="a GIF image of more than 200000 blocks"):
            gif.strip(GIF[:IMAGE] + parts + GIF[IMAGE:])

    def test_a_frame_larger_than_the_screen_counts_whole(self):
        frame = GIF.index(b",", IMAGE)
        stripped = gif.strip(GIF[: frame + 1] + b"\x10\x27\0\0" + GIF[frame + 5 :])
        assert (stripped.width, stripped.height) == (10_000 + 64, 48)

    @pytest.mark.parametrize("cut", [6, 12, 13, 500, IMAGE, IMAGE + 1, IMAGE + 9])
    def test_without_a_frame_it_is_broken(self, cut):
        with pytest.raises(UndecodableImage, match="a GIF image of"):
            gif.strip(GIF[:cut])

    def test_a_trailer_before_the_frame(self):
        with pytest.raises(UndecodableImage):
            gif.strip(GIF[:IMAGE] + b";" + GIF[IMAGE:])


class TestBmp:
    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
    def test_the_pixels_stay(self, mode):
        data = encode(quarters().convert(mode), "BMP")
        stripped = bmp.strip(data + b"a trailer" * 1_000)
        assert np.array_equal(pixels(stripped.data), pixels(data))
        assert (stripped.width, stripped.height) == (64, 48)
        assert len(stripped.data) < len(data) + 1_100

    def test_rows_from_the_top(self):
        data = encode(quarters(), "BMP")
        turned = data[:22] + (-48).to_bytes(4, "little", signed=True) + data[26:]
        assert bmp.strip(turned)[1:3] == (64, 48)

    def test_runs_have_their_own_price(self):
        data = run_length_bmp(40, 2, b"\x28\x07\0\0\x28\x09\0\1")
        stripped = bmp.strip(data)
        assert (stripped.variant, stripped.parts, stripped.data) == ("run-length-encoded BMP", 256, data)

    def test_colours_are_bounded(self):
        data = encode(quarters().convert("P"), "BMP")
        assert bmp.strip(data[:46] + b"\xff\xff\xff\x7f" + data[50:]).parts == 65_536

    @pytest.mark.parametrize("cut", [18, 25, 53])
    def test_a_cut_header_is_broken(self, cut):
        with pytest.raises(UndecodableImage, match="a BMP image of"):
            bmp.strip(encode(plain((1, 2, 3)), "BMP")[:cut])
