"""JPEG: the picture's own segments, and what is behind its end or in an application's segments counts for nothing."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from chalicelib.errors import ImageTooLarge, UndecodableImage
from chalicelib.inference.containers import jpeg
from tests.support.pictures import encode, exif, plain, quarters, scan_bomb, segment

PLAIN = encode(quarters(), "JPEG")
PROGRESSIVE = encode(quarters(), "JPEG", progressive=True)
SCANS = b"\xff\xda" * 150
THUMBNAIL = segment(0xE1, b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\0" + SCANS + PLAIN)
PROFILE = segment(0xE2, b"ICC_PROFILE\0\x01\x01" + bytes(9_000))


def behind_start(data: bytes, *parts: bytes) -> bytes:
    return data[:2] + b"".join(parts) + data[2:]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data), formats=["JPEG"]))


@pytest.mark.parametrize("data", [PLAIN, PROGRESSIVE], ids=["baseline", "progressive"])
class TestWhatIsDropped:
    @pytest.mark.parametrize(
        "trailer",
        [SCANS, PLAIN, PROGRESSIVE, b"\0\0\0\x18ftypmp42" + bytes(100_000) + SCANS, b"\xff", b"\0"],
        ids=["scans", "a second picture", "a second progressive picture", "a video", "half a marker", "a zero"],
    )
    def test_everything_behind_the_end(self, data, trailer):
        assert jpeg.strip(data + trailer) == jpeg.strip(data)

    @pytest.mark.parametrize(
        "dropped",
        [
            THUMBNAIL, PROFILE, segment(0xFE, b"a comment"), segment(0xED, b"Photoshop 3.0\0" + b"\xff\xd9"),
            segment(0xE2, b"MPF\0II*\0\x08\0\0\0"), segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + SCANS),
            b"\xff" * 5_000, b"\xff\xd0", b"\xff\x01", segment(0xE0, b"JFXX\0\x10" + PLAIN), b"\xff\xfe\0\0",
        ],
        ids=["thumbnail", "profile", "comment", "Photoshop", "MPF", "extended XMP", "fill bytes", "restart", "TEM",
             "JFXX", "a comment of length 0"],
    )  # fmt: skip
    def test_what_is_not_decoded(self, data, dropped):
        assert jpeg.strip(behind_start(data, dropped)) == jpeg.strip(data)

    def test_between_scans_too(self, data):
        last = data.rindex(b"\xff\xda")
        assert jpeg.strip(data[:last] + PROFILE + b"\xff\xff" + data[last:]) == jpeg.strip(data)

    def test_the_pixels_stay(self, data):
        assert np.array_equal(pixels(jpeg.strip(behind_start(data, THUMBNAIL, PROFILE) + SCANS).data), pixels(data))


class TestWhatIsKept:
    @pytest.mark.parametrize("transform", [0, 1, 2])
    def test_adobe_says_how_colours_are_stored(self, transform):
        adobe = segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]) + b"more")
        data = PLAIN[:2] + adobe + PLAIN[20:]  # in place of JFIF
        assert np.array_equal(pixels(jpeg.strip(data).data), pixels(data))

    @pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
    @pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}], ids=str)
    def test_every_mode(self, mode, options):
        data = encode(quarters().convert(mode), "JPEG", **options)
        stripped = jpeg.strip(data)
        assert np.array_equal(pixels(stripped.data), pixels(data))
        assert (stripped.width, stripped.height) == (64, 48)

    def test_a_short_jfif_is_none(self):
        data = behind_start(PLAIN[:2] + PLAIN[20:], segment(0xE0, b"JFIF\0\1"))
        assert np.array_equal(pixels(jpeg.strip(data).data), pixels(PLAIN[:2] + PLAIN[20:]))


class TestWhatIsCounted:
    def test_samples_of_a_baseline_picture(self):
        stripped = jpeg.strip(encode(quarters(), "JPEG", subsampling=2))
        assert (stripped.variant, stripped.work, stripped.memory_bytes) == ("JPEG", 64 * 48 * 3 // 2, 0)

    def test_samples_times_scans_of_a_progressive_one(self):
        grey = encode(quarters().convert("L"), "JPEG", progressive=True)
        stripped = jpeg.strip(grey)
        scans = grey.count(b"\xff\xda")
        assert (stripped.variant, stripped.work, stripped.memory_bytes) == (
            "progressive JPEG", 64 * 48 * scans, 64 * 48 * 2,
        )  # fmt: skip

    @pytest.mark.parametrize(("scans", "fits"), [(100, True), (101, False), (20_000, False)])
    def test_scans_are_bounded(self, scans, fits):
        if fits:
            assert jpeg.strip(scan_bomb(scans)).work > 0
        else:
            with pytest.raises(ImageTooLarge, match="a JPEG image of more than 100 scans"):
                jpeg.strip(scan_bomb(scans))

    @pytest.mark.parametrize("part", [segment(0xE1, b"Exif\0\0"), b"\xff\x01"], ids=["EXIF", "TEM"])
    @pytest.mark.parametrize(("segments", "fits"), [(1_900, True), (2_100, False), (220_000, False)])
    def test_segments_are_bounded(self, segments, fits, part):
        data = behind_start(PLAIN, part * segments)
        if fits:
            assert jpeg.strip(data) == jpeg.strip(PLAIN)
        else:
            with pytest.raises(ImageTooLarge, match="a JPEG image of more than 2000 segments"):
                jpeg.strip(data)

    def test_tables_before_the_first_scan_are_bounded(self):
        tables = segment(0xDB, (b"\0" + b"\1" * 64) * 1_000)
        with pytest.raises(ImageTooLarge, match="more than 65536 bytes of tables"):
            jpeg.strip(behind_start(PLAIN, tables, tables))


class TestKinds:
    @pytest.mark.parametrize(
        ("marker", "variant"),
        [
            (0xC1, "JPEG"), (0xC2, "progressive JPEG"), (0xC3, "lossless JPEG"), (0xC9, "arithmetic-coded JPEG"),
            (0xCA, "arithmetic-coded progressive JPEG"),
        ],
    )  # fmt: skip
    def test_the_start_of_frame_names_it(self, marker, variant):
        data = PLAIN.replace(b"\xff\xc0", bytes((0xFF, marker)))
        assert jpeg.strip(data).variant == variant

    @pytest.mark.parametrize("marker", [0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF])
    def test_what_no_decoder_here_knows(self, marker):
        with pytest.raises(UndecodableImage, match=rf"a kind that is not decoded \(SOF{marker - 0xC0}\)"):
            jpeg.strip(PLAIN.replace(b"\xff\xc0", bytes((0xFF, marker))))

    def test_twelve_bits(self):
        at = PLAIN.index(b"\xff\xc0") + 4
        with pytest.raises(UndecodableImage, match="a JPEG image of 12 bits a sample: save it with 8 bits"):
            jpeg.strip(PLAIN[:at] + b"\x0c" + PLAIN[at + 1 :])

    def test_a_scan_for_each_component(self):
        """Not progressive: the first scan has one of three components, so all coefficients are kept."""
        frame, scan = PLAIN.index(b"\xff\xc0"), PLAIN.index(b"\xff\xda")
        one = PLAIN[:scan] + b"\xff\xda\0\x08\x01" + PLAIN[scan + 5 : scan + 7] + b"\0\x3f\0" + PLAIN[scan + 14 :]
        assert frame < scan
        assert jpeg.strip(one).variant == "JPEG in scans"

    @pytest.mark.parametrize("end", [2, 4, 30, -300])
    def test_without_a_scan_it_is_broken(self, end):
        with pytest.raises(UndecodableImage, match="broken or truncated"):
            jpeg.strip(PLAIN[: PLAIN.index(b"\xff\xda")][:end])


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_in_exif(self, orientation):
        assert jpeg.strip(encode(quarters(), "JPEG", exif=exif(orientation))).orientation == orientation

    def test_the_first_exif_counts(self):
        one, other = (segment(0xE1, exif(orientation)) for orientation in (6, 3))
        assert jpeg.strip(behind_start(PLAIN, one, other)).orientation == 6

    def test_xmp_is_the_last_resort(self):
        xmp = segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="8"/>')
        assert jpeg.strip(behind_start(PLAIN, xmp)).orientation == 8
        assert jpeg.strip(behind_start(PLAIN, xmp, segment(0xE1, exif(6)))).orientation == 6
        assert jpeg.strip(behind_start(PLAIN, xmp.replace(b'"8"', b'"9"'))).orientation is None

    def test_behind_the_end_it_is_another_pictures(self):
        assert jpeg.strip(PLAIN + encode(quarters(), "JPEG", exif=exif(6))).orientation is None


def test_a_lossless_picture_keeps_its_size_in_the_header():
    data = PLAIN.replace(b"\xff\xc0", b"\xff\xc3")
    at = data.index(b"\xff\xc3") + 5
    stripped = jpeg.strip(data[:at] + struct.pack(">HH", 300, 200) + data[at + 4 :])
    assert (stripped.width, stripped.height) == (200, 300)


def test_no_samples_no_crash():
    at = PLAIN.index(b"\xff\xc0") + 4 + 7
    assert jpeg.strip(PLAIN[:at] + b"\0" + PLAIN[at + 1 :]).work >= 0
    assert jpeg.strip(encode(plain((9,), (1, 1), "L"), "JPEG")).work == 1
