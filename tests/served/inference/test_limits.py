"""What a picture may cost is worked out from its headers, and refused before anything is decoded."""

import struct

import pytest

from chalicelib.errors import ImageTooLarge
from chalicelib.inference import images
from chalicelib.inference.card import InputSpec
from chalicelib.inference.containers import jpeg, stripped
from chalicelib.inference.formats import MEGAPIXEL
from chalicelib.inference.limits import COSTS, REQUEST_S, check, check_decoded, check_together, seconds
from chalicelib.telemetry import Spans
from tests.support.pictures import encode, plain, png_claiming, quarters, run_length_bmp, scan_bomb, webp_claiming

SPEC = InputSpec(32, 24, "RGB", 0.875, (0.0,) * 3, (1.0,) * 3)


def of(variant: str, width: int, height: int, work: int = 0, size_bytes: int = 0, memory_bytes: int = 0):
    return stripped.Stripped(bytes(size_bytes), width, height, variant, work, memory_bytes=memory_bytes)


def jpeg_claiming(width: int, height: int, scans: int = 1, marker: int = 0xC2, grey: bool = True) -> bytes:
    """A JPEG whose header claims any size and kind, and whose last scan is repeated."""
    image = quarters(32, 32)
    data = bytearray(encode(image.convert("L") if grey else image, "JPEG", progressive=True, subsampling=2))
    at = data.index(b"\xff\xc2")
    data[at + 1], data[at + 5 : at + 9] = marker, struct.pack(">HH", height, width)
    last = data.rindex(b"\xff\xda")
    return bytes(data[:-2]) + bytes(data[last:-2]) * max(0, scans - data.count(b"\xff\xda")) + b"\xff\xd9"


class TestWhatPasses:
    """Legitimate pictures at the largest sizes that are promised."""

    @pytest.mark.parametrize(
        ("width", "height", "variant", "work"),
        [
            (11_600, 8_600, "JPEG", 11_600 * 8_600 * 3 // 2),
            (11_600, 8_600, "JPEG", 11_600 * 8_600 * 3),
            (8_200, 6_200, "progressive JPEG", 8_200 * 6_200 * 8),  # libjpeg's own ten scans, with 4:2:0
            (6_000, 4_000, "progressive JPEG", 6_000 * 4_000 * 30),
            (5_000, 5_000, "PNG", 5_000 * 20_001),
            (6_000, 4_000, "WebP", 0),
            (6_000, 4_000, "lossless WebP", 0),
            (5_000, 5_000, "GIF", 0),
            (5_000, 5_000, "BMP", 0),
            (4_000, 2_500, "run-length-encoded BMP", 0),
        ],
    )
    def test_with_twelve_megabytes(self, width, height, variant, work):
        size_bytes = 12_000_000 if "run" not in variant else 100_000
        assert 0 < check(of(variant, width, height, work, size_bytes)) <= REQUEST_S

    def test_every_variant_that_a_reader_names_has_a_cost(self):
        assert {"JPEG", *jpeg._VARIANTS.values(), *jpeg._IN_SCANS.values()} < set(COSTS)
        others = {"PNG", "WebP", "lossless WebP", "GIF", "BMP", "run-length-encoded BMP"}
        assert set(COSTS) == others | {*jpeg._VARIANTS.values(), *jpeg._IN_SCANS.values()}


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (jpeg_claiming(7_141, 7_141, 99), r"a progressive JPEG image of 7141x7141 pixels takes [67]\.\d s"),
            (jpeg_claiming(7_141, 7_141, 9, 0xCA), r"an arithmetic-coded progressive JPEG .* takes \d\d\.\d s"),
            (run_length_bmp(16_384, 1_525, b"\1\7\0\0" * 1_525), r"a run-length-encoded BMP .* takes 5\.6 s"),
            (run_length_bmp(64, 48, b"\0\0" * 5_000_000), r"a run-length-encoded BMP image of 64x48 .* 9\.1 s"),
            (webp_claiming(5_000, 5_000), "a lossless WebP image of 5000x5000 pixels: at most 24 megapixels"),
            (png_claiming(16_385, 1), "a PNG image of 16385x1 pixels: at most 25 megapixels and 16384 a side"),
        ],
        ids=["scans", "arithmetic", "line ends", "runs without pixels", "WebP", "a side"],
    )  # fmt: skip
    def test_bombs(self, data, message):
        with pytest.raises(ImageTooLarge, match=message):
            images.pixels_of(data, SPEC, Spans())

    def test_coefficients_that_take_too_much_memory(self):
        large = of("progressive JPEG", 7_000, 7_000, 7_000**2 * 4, memory_bytes=2 * 7_000**2 * 4)
        with pytest.raises(ImageTooLarge, match=r"takes 392\.0 MB to decode: at most 330 are accepted"):
            check(large)

    def test_a_jpeg_that_has_to_be_decoded_in_full(self):
        """The model's input is so large that no reduced scale is enough."""
        spec = InputSpec(4_000, 4_000, "RGB", 1.0, (0.0,) * 3, (1.0,) * 3)
        data = encode(plain((9,), (6_000, 5_000), "L"), "JPEG")
        with pytest.raises(ImageTooLarge, match="of 6000x5000 pixels, of which 6000x5000 have to be decoded for this"):
            images.pixels_of(data, spec, Spans())
        check_decoded(of("JPEG", 6_000, 5_000), (3_000, 2_500))

    def test_bytes_and_parts_cost_as_well(self):
        few, many = of("PNG", 10, 10, 410), of("PNG", 10, 10, 410, size_bytes=10_000_000)
        assert seconds(many) > seconds(few) + 0.05
        assert seconds(few._replace(parts=10_000)) > seconds(few) + 0.01

    def test_the_message_never_shows_the_limit_itself(self):
        just_above = of("progressive JPEG", 5_000, 5_000, round((REQUEST_S + 0.001) / 1.4e-9))
        with pytest.raises(ImageTooLarge, match=r"takes 2\.6 s to decode: at most 2\.5 are accepted"):
            check(just_above)


class TestTogether:
    def test_the_pictures_of_a_request_share_the_time(self):
        check_together([0.4, 0.4, 0.4])
        with pytest.raises(ImageTooLarge, match=r"the 32 images take 16\.0 s to decode: at most 2\.5 in one request"):
            check_together([0.5] * 32)


def test_the_largest_areas():
    assert COSTS["JPEG"].max_area_px == 100 * MEGAPIXEL
    assert COSTS["progressive JPEG"].max_area_px == 51 * MEGAPIXEL


def test_an_estimate_needs_no_decoding(monkeypatch):
    monkeypatch.setattr(images.Image, "open", None)
    assert images.seconds_of(scan_bomb(50), SPEC) > images.seconds_of(scan_bomb(20), SPEC) > 0
