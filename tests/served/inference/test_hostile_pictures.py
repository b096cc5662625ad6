"""Broken and malicious pictures: each is decoded or refused by a ClientError, within bounds of memory."""

import functools
import io
import random
import resource
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from chalicelib.errors import ClientError, ImageTooLarge, UndecodableImage, UnsupportedImage
from chalicelib.inference import images, limits
from chalicelib.inference.card import InputSpec
from chalicelib.inference.containers import png
from chalicelib.inference.formats import FORMATS
from chalicelib.inference.images import pixels_of
from chalicelib.telemetry import Spans
from tests.support.pictures import (
    bmp_claiming,
    encode,
    exif,
    gif_claiming,
    plain,
    png_claiming,
    quarters,
    scan_bomb,
    webp_claiming,
)

TURNED_PALETTE = encode(quarters().convert("P"), exif=exif(6))
SPEC = InputSpec(32, 24, "RGB", 0.875, (0.0,) * 3, (1.0,) * 3)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # as outside the tests; see `images`


def outcome(data: bytes) -> str:
    """ "decoded", or the name of the ClientError; any other exception fails the test."""
    try:
        pixels = pixels_of(data, SPEC, Spans())
    except ClientError as error:
        assert str(error)
        return type(error).__name__
    assert (pixels.shape, pixels.dtype) == ((24, 32, 3), np.uint8)
    return "decoded"


def mutated(data: bytes, chooser: random.Random) -> bytes:
    """The picture with some bytes changed, left out, doubled or put in."""
    changed = bytearray(data)
    for _ in range(chooser.choice((1, 1, 2, 4))):
        at = chooser.randrange(2, len(changed) if chooser.random() < 0.5 else min(len(changed), 200))
        match chooser.randrange(5):
            case 0:
                changed[at] = chooser.choice((0, 1, 255, chooser.randrange(256)))
            case 1:
                changed[at] ^= 1 << chooser.randrange(8)
            case 2:
                del changed[at : at + chooser.choice((1, 4, 30))]
            case 3:
                changed[at:at] = changed[at : at + chooser.choice((2, 12, 40))]
            case 4:
                changed[at:at] = chooser.choice((b"\xff", b"\0", b"\xff\xda", b"\xff\xd9", chooser.randbytes(4)))
    return bytes(changed)


def loaded(data: bytes, image_format: str) -> tuple[object, ...] | None:
    """What Pillow's strict load gives, or None."""
    try:
        image = Image.open(io.BytesIO(data), formats=[image_format])
        image.load()
    except Exception:
        return None
    palette = image.getpalette() if image.mode == "P" else None
    return image.mode, image.size, image.tobytes(), image.info.get("transparency"), palette


@functools.cache
def sample(image_format: str, progressive: bool = False) -> bytes:
    return encode(quarters(), image_format, **({"progressive": True} if progressive else {}))


class TestBrokenFiles:
    @pytest.mark.parametrize("image_format", FORMATS)
    def test_cut_at_every_per_cent(self, image_format):
        data = sample(image_format)
        outcomes = [outcome(data[: len(data) * per_cent // 100]) for per_cent in range(100)]
        assert set(outcomes) <= {"UnsupportedImage", "UndecodableImage", "decoded"}
        assert outcomes[0] == "UnsupportedImage"
        assert set(outcomes[10:90]) == {"UndecodableImage"}

    def test_a_progressive_jpeg_cut_at_every_per_cent(self):
        data = sample("JPEG", progressive=True)
        outcomes = {outcome(data[: len(data) * per_cent // 100]) for per_cent in range(100)}
        assert outcomes == {"UnsupportedImage", "UndecodableImage"}

    @settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(
        image_format=st.sampled_from(list(FORMATS)),
        flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=8),
    )
    def test_flipped_bits(self, image_format, flips):
        data = bytearray(sample(image_format))
        for place, bit in flips:
            data[int(place * len(data))] ^= 1 << bit
        outcome(bytes(data))

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(image_format=st.sampled_from(list(FORMATS)), tail=st.binary(max_size=200), keep=st.integers(2, 60))
    def test_junk_behind_an_honest_start(self, image_format, tail, keep):
        outcome(sample(image_format)[:keep] + tail)

    @pytest.mark.parametrize("image_format", [*FORMATS, "progressive"])
    def test_mutations_are_read_as_pillow_reads_them_or_refused(self, image_format):
        """The reader never raises anything but a refusal; where it and Pillow both read a picture, they agree."""
        chooser, kind = random.Random(12), "JPEG" if image_format == "progressive" else image_format
        data, agreed = sample(kind, progressive=image_format == "progressive"), 0
        for _ in range(300):
            mutant = mutated(data, chooser)
            try:
                stripped = images.strip(mutant)
            except ClientError:
                continue
            if stripped.width * stripped.height > 100_000:
                continue
            ours, theirs = loaded(stripped.data, kind), loaded(mutant, kind)
            if ours and theirs:
                assert ours == theirs
                agreed += 1
        assert agreed > 5

    def test_the_message_says_what_came_and_nothing_of_the_decoder(self):
        with pytest.raises(UndecodableImage) as caught:
            pixels_of(sample("PNG")[:200], SPEC, Spans())
        assert str(caught.value) == "a PNG image of 200 bytes that is broken or truncated"

    @pytest.mark.parametrize("width, height", [(0, 0), (0, 5), (5, 0)], ids=str)
    @pytest.mark.parametrize("claim", [png_claiming, gif_claiming, bmp_claiming])
    def test_a_picture_without_pixels(self, claim, width, height):
        assert outcome(claim(width, height)) == "UndecodableImage"

    def test_no_other_decoder_is_tried(self):
        photo_cd = bytearray(900_000)  # Pillow knows a Photo CD by what stands at 2,048, whatever comes before
        photo_cd[:6], photo_cd[2048:2052] = b"GIF89a", b"PCD_"
        assert Image.open(io.BytesIO(photo_cd)).format == "PCD"
        assert outcome(bytes(photo_cd)) == "UndecodableImage"

    def test_a_bmp_may_start_at_the_top(self):
        assert outcome(bmp_claiming(5, -5)) == outcome(bmp_claiming(5, 5)) == "decoded"

    def test_a_bmp_of_negative_width_is_refused(self):
        assert outcome(bmp_claiming(-5, 5)) == "ImageTooLarge"  # the width is unsigned

    @pytest.mark.parametrize(
        "data",
        [
            encode(quarters().convert("P")).replace(b"PLTE", b"teXt"),
            png_claiming(4, 4, color_type=0).replace(b"\x08\0", b"\x08\3", 1),
        ],
        ids=["another checksum", "no palette"],
    )
    def test_a_palette_picture_without_a_palette(self, data):
        assert outcome(data) == "UndecodableImage"

    @pytest.mark.parametrize("name", ["has_transparency_data", "convert", "resize", "transpose"])
    @pytest.mark.parametrize("error", [AssertionError, TypeError, RecursionError])
    def test_whatever_pillow_raises_is_the_pictures_fault(self, monkeypatch, name, error):
        def fail(*_args: object, **_options: object) -> None:
            raise error("a secret path")

        monkeypatch.setattr(Image.Image, name, property(fail) if name == "has_transparency_data" else fail)
        with pytest.raises(UndecodableImage, match=r"that is broken or truncated$"):
            pixels_of(TURNED_PALETTE, SPEC, Spans())

    def test_where_reader_and_pillow_disagree_nothing_is_decoded(self, monkeypatch):
        """The limits hold for the size that the reader found."""
        strip = png.strip
        monkeypatch.setattr(png, "strip", lambda data: strip(data)._replace(width=63))
        assert outcome(sample("PNG")) == "UndecodableImage"

    def test_memory_that_runs_out_is_not_the_pictures_fault(self, monkeypatch):
        def fail(*_args: object, **_options: object) -> None:
            raise MemoryError

        monkeypatch.setattr(Image.Image, "resize", fail)
        with pytest.raises(MemoryError):
            outcome(sample("PNG"))

    def test_a_decoder_that_may_have_got_no_memory_does_not_condemn_the_picture(self, monkeypatch):
        cut = sample("PNG")[:-100]
        assert outcome(cut) == "UndecodableImage"
        monkeypatch.setattr(images, "_DECODING_BYTES", 2**49)
        with pytest.raises(MemoryError):
            outcome(cut)

    @pytest.mark.parametrize("image_format", FORMATS)
    def test_the_smallest_picture(self, image_format):
        assert outcome(encode(plain((1, 2, 3), (1, 1)), image_format)) == "decoded"


class TestBombs:
    @pytest.mark.parametrize(
        ("make", "says"),
        [
            (lambda: png_claiming(1, 39_999_999), "a PNG image of 1x39999999 pixels"),
            (lambda: png_claiming(16_385, 1), "a PNG image of 16385x1 pixels"),
            (lambda: png_claiming(5_001, 5_000), "a PNG image of 5001x5000 pixels"),
            (lambda: png_claiming(12_000, 12_000), "a PNG image of"),
            (lambda: png_claiming(30_000, 30_000), "a PNG image of 30000x30000 pixels"),
            (lambda: encode(plain((1, 2, 3), (65_535, 1)), "BMP"), "a BMP image of 65535x1 pixels"),
            (lambda: encode(plain((9,), (65_500, 1), "L"), "JPEG"), "a JPEG image of 65500x1 pixels"),
            (lambda: gif_claiming(65_535, 1), "a GIF image of 65535x1 pixels"),
            (lambda: gif_claiming(65_535, 65_535), "a GIF image of 65535x65535 pixels"),
            (lambda: bmp_claiming(5_000, 5_001), "a BMP image of 5000x5001 pixels"),
            (lambda: bmp_claiming(2**31 - 1, 2**31 - 1), "a BMP image of 2147483647x2147483647 pixels"),
            (lambda: webp_claiming(6_001, 4_000), "a lossless WebP image of 6001x4000 pixels"),
            (lambda: webp_claiming(16_383, 16_383), "a lossless WebP image of 16383x16383 pixels"),
        ],
        ids=lambda value: value[:60].replace(" ", "-") if isinstance(value, str) else "",
    )
    def test_what_claims_too_many_pixels_is_refused_before_decoding(self, make, says):
        with pytest.raises(ImageTooLarge) as caught:
            pixels_of(make(), SPEC, Spans())
        message = str(caught.value)
        assert message.startswith(says)
        assert message.endswith("megapixels and 16384 a side are decoded")

    def test_the_largest_that_is_allowed_is_decoded(self):
        assert outcome(png_claiming(limits.MAX_SIDE_PX, 20)) == "decoded"

    def test_a_large_plain_jpeg_may_have_more_pixels_than_a_progressive_one(self):
        large = plain((128,), (9_000, 6_000), "L")
        assert outcome(encode(large, "JPEG")) == "decoded"
        with pytest.raises(ImageTooLarge, match="a progressive JPEG image of 9000x6000 pixels: at most 51 megapixels"):
            pixels_of(encode(large, "JPEG", progressive=True), SPEC, Spans())

    @pytest.mark.parametrize(("scans", "want"), [(100, "decoded"), (101, "ImageTooLarge"), (20_000, "ImageTooLarge")])
    def test_scan_bomb(self, scans, want):
        data = scan_bomb(scans)
        assert data.count(b"\xff\xda") == scans
        assert outcome(data) == want


PEAK_SCRIPT = """
import sys
from pathlib import Path
from chalicelib.inference.card import InputSpec
from chalicelib.inference.images import pixels_of
from chalicelib.telemetry import Spans

spec = InputSpec(224, 224, "RGB", 0.875, (0.0,) * 3, (1.0,) * 3)
data = sys.stdin.buffer.read()
pixels_of(data, spec, Spans())
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
class TestMemory:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: encode(plain((0, 9, 0, 9), (6_000, 4_000), "RGBA"), "WEBP", lossless=True, quality=0, method=0),
            lambda: png_claiming(5_000, 5_000, depth=16),
            lambda: png_claiming(5_000, 5_000, color_type=6),
            lambda: encode(plain((0, 99, 9, 0), (8_000, 5_150), "CMYK"), "JPEG", progressive=True),
        ],
        ids=["WebP", "PNG of 16 bits", "PNG with transparency", "progressive CMYK JPEG"],
    )
    def test_the_largest_pictures_stay_near_400_mb(self, make):
        run = subprocess.run(
            [sys.executable, "-c", PEAK_SCRIPT], input=make(), stdout=subprocess.PIPE, check=True, timeout=60
        )
        assert 200 < int(run.stdout) < 480  # Python itself included


class TestCollection:
    def test_hostile_files_are_decoded_or_refused(self, test_data):
        files = sorted((test_data / "hostile").iterdir())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        outcomes = {file.name: outcome(file.read_bytes()) for file in files}
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        counts = {name: list(outcomes.values()).count(name) for name in set(outcomes.values())}
        assert sum(counts.values()) == len(files) > 300
        assert counts["decoded"] > 150
        assert counts["UndecodableImage"] > 20
        assert grown_kb < 400 * 1024

    @pytest.mark.parametrize(
        ("name", "want"),
        [
            ("bmp_rle8_line_ends_16384x1525.bmp", "ImageTooLarge"),
            ("jpeg_trailer_101_sos_markers.jpg", "decoded"),
            ("jpg_arithmetic_cmyk_51MP_100_scans.jpg", "ImageTooLarge"),
            ("jpg_lossless_grey_200x200.jpg", "decoded"),
            ("png_bad_text_crc.png", "decoded"),
            ("png_huge_iccp.png", "decoded"),
            ("png_palette_index_out_of_range.png", "decoded"),
            ("png_palette_without_plte.png", "UndecodableImage"),
            ("stereo.mpo", "decoded"),
            ("webp_lossless_rgba_25MP.webp", "ImageTooLarge"),
            ("x.avif", "UnsupportedImage"),
            ("x.jfif", "decoded"),
        ],
    )
    def test_odd_pictures(self, test_data, name, want):
        assert outcome((test_data / "odd_pictures" / name).read_bytes()) == want

    @pytest.mark.parametrize("ending", [".tiff", ".psd", ".jp2", ".svg", ".heif"])
    def test_other_formats_are_refused_as_such(self, test_data, ending):
        files = [file for file in (test_data / "hostile").iterdir() if file.suffix == ending]
        assert files
        for file in files:
            with pytest.raises(UnsupportedImage):
                pixels_of(file.read_bytes(), SPEC, Spans())
