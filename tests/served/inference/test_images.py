import io

import numpy as np
import pytest
from PIL import Image

from chalicelib.errors import UndecodableImage, UnsupportedImage
from chalicelib.inference import images, pillow
from chalicelib.inference.card import InputSpec
from chalicelib.inference.formats import FORMATS
from chalicelib.inference.images import decode, pixels_of, sniff, to_pixels
from chalicelib.telemetry import Spans
from tests.support.pictures import LOSSY, chunk, encode, exif, exif_entry, lossless_jpeg, plain, quarters

PICTURES = {"EPS", "PDF", "PSD", "TIFF", "ICO", "2000", "XL", "ICNS", "WMF", "HEIC", "HEIF", "AVIF"}
"""The last words of what can be converted."""
SPEC = InputSpec(32, 24, "RGB", 1.0, (0.0,) * 3, (1.0,) * 3)


def pixels(data: bytes, spec: InputSpec = SPEC) -> np.ndarray:
    return pixels_of(data, spec, Spans())


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """The mean difference in grey levels."""
    return float(np.abs(a.astype(float) - b).mean())


class TestFormats:
    @pytest.mark.parametrize("image_format", FORMATS)
    def test_every_format_gives_the_same_picture(self, image_format):
        want = np.asarray(quarters().resize((32, 24), Image.Resampling.BILINEAR))
        got = pixels(encode(quarters(), image_format))
        assert (got.shape, got.dtype) == ((24, 32, 3), np.uint8)
        assert difference(got, want) < (6 if image_format == "GIF" else 2 if image_format in LOSSY else 0.01)

    @pytest.mark.parametrize("image_format", FORMATS)
    def test_the_first_bytes_tell_the_format(self, image_format):
        assert sniff(encode(quarters(), image_format)) == image_format

    @pytest.mark.parametrize(
        ("data", "looks"),
        [
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "this looks like EPS"),
            (b"%PDF-1.7\n", "this looks like PDF"),
            (b'\n<svg xmlns="http://www.w3.org/2000/svg"/>', "this looks like SVG, XML or HTML"),
            (b"8BPS\0\x01", "this looks like PSD"),
            (encode(quarters(), "TIFF"), "this looks like TIFF"),
            (encode(quarters(), "TIFF", big_tiff=True), "this looks like TIFF"),
            (encode(quarters(), "ICO"), "this looks like ICO"),
            (encode(quarters(), "PPM"), "the bytes are no known image format"),
            (encode(quarters(), "TGA"), "the bytes are no known image format"),
            (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50), "this looks like JPEG 2000"),
            (b"icns" + bytes(50), "this looks like ICNS"),
            (b"\xd7\xcd\xc6\x9a" + bytes(50), "this looks like WMF"),
            (b"RIFF\x24\0\0\0WAVEfmt ", "this looks like WAV"),
            (b"\0\0\0\x1cftypheic", "this looks like HEIC"),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", "this looks like HEIC"),
            (encode(quarters(), "AVIF"), "this looks like AVIF"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf", "this looks like HEIF"),
            (b"\0\0\0\x18ftypisom\0\0\2\0isommp41", "this looks like MP4 or QuickTime video"),
            (b"\xff\x0a" + bytes(50), "this looks like JPEG XL"),
            (b"\0\5\x16\7\0\2\0\0Mac OS X", "this looks like a file that macOS keeps beside another (AppleDouble)"),
            (b"version https://git-lfs.github.com/spec/v1\n", "this looks like a Git LFS pointer"),
            (b"hello", "the bytes are no known image format"),
            (b"\xff\xd8", "the bytes are no known image format"),
            (b"", "the bytes are no known image format"),
        ],
        ids=["EPS", "PDF", "SVG", "PSD", "TIFF", "BigTIFF", "ICO", "PPM", "TGA", "JPEG 2000", "ICNS", "WMF", "WAV",
             "HEIC", "HEIC by a brand", "AVIF", "HEIF", "MP4", "JPEG XL", "AppleDouble", "LFS", "text",
             "two bytes", "nothing"],
    )  # fmt: skip
    def test_what_is_not_served_is_refused_by_its_name(self, data, looks):
        with pytest.raises(UnsupportedImage) as caught:
            pixels(data)
        told, advice, _ = str(caught.value).partition("; convert it to JPEG")
        assert told == f"{looks} ({len(data)} bytes received): JPEG, PNG, WebP, GIF and BMP are accepted"
        assert bool(advice) == (looks.split()[-1] in PICTURES)

    @pytest.mark.parametrize("junk", [b"\0" * 3_000_000, np.random.default_rng(7).bytes(3_000_000)], ids=["0", "noise"])
    @pytest.mark.parametrize("image_format", FORMATS)
    def test_trailing_megabytes_change_nothing(self, image_format, junk):
        data = encode(quarters(), image_format)
        assert np.array_equal(pixels(data + junk), pixels(data))


class TestModes:
    @pytest.mark.parametrize(
        ("image", "want"),
        [
            (plain((0, 255, 255, 0), mode="CMYK"), (255, 0, 0)),
            (plain((90,), mode="L"), (90, 90, 90)),
        ],
        ids=["CMYK", "grey"],
    )
    def test_jpeg_of_other_colours(self, image, want):
        got = pixels(encode(image, "JPEG"))
        assert np.abs(got.astype(int) - want).max() <= 3

    def test_16_bit_grey_is_scaled_and_not_clipped(self):
        ramp = np.linspace(0, 65535, 32 * 24).astype(np.uint16).reshape(24, 32)
        got = pixels(encode(Image.fromarray(ramp)))
        assert np.array_equal(got, np.repeat(np.rint(ramp / 257)[..., np.newaxis], 3, axis=2))

    def test_every_16_bit_value_is_divided_by_257_and_rounded(self):
        values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
        spec = SPEC._replace(width=256, height=256)
        got = pixels(encode(Image.fromarray(values)), spec)
        assert np.array_equal(got[..., 0], np.rint(values / 257))

    @pytest.mark.parametrize(
        ("image", "options", "want"),
        [
            (plain((200, 0, 0, 0), mode="RGBA"), {}, (255, 255, 255)),
            (plain((200, 0, 0, 255), mode="RGBA"), {}, (200, 0, 0)),
            (plain((0, 0, 0, 51), mode="RGBA"), {}, (204, 204, 204)),
            (plain((100, 0), mode="LA"), {}, (255, 255, 255)),
            (plain((100, 255), mode="LA"), {}, (100, 100, 100)),
            (plain((10, 20, 30)), {"transparency": (10, 20, 30)}, (255, 255, 255)),
            (plain((10, 20, 30)), {"transparency": (1, 2, 3)}, (10, 20, 30)),
            (plain((7,), mode="L"), {"transparency": 7}, (255, 255, 255)),
            (plain((0,), mode="P"), {"transparency": 0}, (255, 255, 255)),
            (plain((0,), mode="P"), {"transparency": b"\x80"}, (127, 127, 127)),
            (plain((0,), mode="1"), {}, (0, 0, 0)),
        ],
        ids=["RGBA clear", "RGBA solid", "RGBA mixed", "LA clear", "LA solid", "RGB key", "RGB other key", "grey key",
             "palette index", "palette of bytes", "1 bit"],
    )  # fmt: skip
    def test_transparent_png_lies_on_white(self, image, options, want):
        assert np.abs(pixels(encode(image, **options)).astype(int) - want).max() <= 1

    @pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
    def test_of_an_animation_the_first_frame_is_used(self, image_format):
        frames = [quarters(), plain((0, 0, 0), (64, 48)), plain((9, 9, 9), (64, 48))]
        data = encode(frames[0], image_format, save_all=True, append_images=frames[1:], duration=50)
        assert Image.open(io.BytesIO(data)).n_frames == 3
        assert difference(pixels(data), pixels(encode(quarters(), image_format))) < 2

    def test_grey_models_get_one_channel(self):
        spec = SPEC._replace(color="L", mean=(0.0,), std=(1.0,))
        got = pixels(encode(quarters()), spec)
        want = np.asarray(quarters().resize((32, 24), Image.Resampling.BILINEAR).convert("L"))
        assert np.array_equal(got, want[..., np.newaxis])

    @pytest.mark.parametrize("profile", [b"", b"not a profile", b"\0" * 200])
    def test_a_broken_colour_profile_changes_nothing(self, profile):
        assert np.array_equal(pixels(encode(quarters(), icc_profile=profile)), pixels(encode(quarters())))


UNDO = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
"""By orientation: the transposition by which a camera would have stored the picture, as an orientation."""


class TestOrientation:
    @pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_all_eight_give_the_upright_picture(self, orientation, image_format):
        upright = quarters(64, 48)
        undo = images._TRANSPOSE.get(UNDO.get(orientation))
        stored = upright if undo is None else upright.transpose(undo)
        got = pixels(encode(stored, image_format, exif=exif(orientation)))
        assert difference(got, pixels(encode(upright, image_format))) < 1

    @pytest.mark.parametrize("crop", [1.0, 0.6])
    @pytest.mark.parametrize("orientation", range(2, 9))
    def test_the_crop_is_that_of_the_upright_picture(self, orientation, crop):
        spec = SPEC._replace(crop=crop)
        stored = quarters(90, 40).transpose(images._TRANSPOSE[UNDO[orientation]])
        got = pixels(encode(stored, exif=exif(orientation)), spec)
        assert difference(got, pixels(encode(quarters(90, 40)), spec)) < 0.5

    @pytest.mark.parametrize("orientation", [0, 9, 65535])
    def test_an_orientation_that_does_not_exist_is_ignored(self, orientation):
        data = encode(quarters(), "JPEG", exif=exif(orientation))
        assert np.array_equal(pixels(data), pixels(encode(quarters(), "JPEG")))

    @pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # as outside the tests; see `images`
    @pytest.mark.parametrize(
        "entry",
        [(2, 2, b"6\0\0\0"), (7, 1, b"\6\0\0\0"), (5, 1, b"\0\0\0\x70"), (99, 1, b"\0\6\0\0")],
        ids=["text", "bytes", "fraction behind the end", "unknown type"],
    )
    def test_an_orientation_of_the_wrong_type_is_ignored(self, entry):
        data = encode(quarters(), "JPEG", exif=exif_entry(*entry))
        assert np.array_equal(pixels(data), pixels(encode(quarters(), "JPEG")))

    @pytest.mark.filterwarnings("ignore::UserWarning:PIL")
    @pytest.mark.parametrize(
        "junk", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"]
    )
    def test_broken_exif_is_ignored(self, junk):
        data = encode(quarters(), "JPEG", exif=junk)
        assert np.array_equal(pixels(data), pixels(encode(quarters(), "JPEG")))

    def test_orientation_never_rescues_a_broken_png(self):
        data = encode(quarters(), exif=exif(6))
        end = data.index(b"IDAT") + 40
        with pytest.raises(UndecodableImage):
            pixels(data[:end] + chunk(b"IEND", b""))


class TestDraft:
    @pytest.mark.parametrize("crop", [1.0, 0.875])
    def test_a_large_jpeg_at_reduced_scale_is_close_to_the_full_one(self, crop):
        spec = InputSpec(96, 96, "RGB", crop, (0.0,) * 3, (1.0,) * 3)
        photo = _smooth_noise(2000, 1500)
        data = encode(photo, "JPEG")
        picture = decode(data, spec)
        assert picture.image.width < photo.width
        full = to_pixels(images.Picture(Image.open(io.BytesIO(data)), None), spec)
        assert difference(to_pixels(picture, spec), full) < 1

    @pytest.mark.parametrize("crop", [1.0, 0.25])
    @pytest.mark.parametrize("size", [(2000, 300), (300, 2000), (2000, 1500)])
    def test_the_short_side_of_the_crop_stays_large_enough(self, size, crop):
        picture = decode(encode(_smooth_noise(*size), "JPEG"), SPEC._replace(crop=crop))
        assert min(picture.image.size) * crop >= max(SPEC.width, SPEC.height) * images.DRAFT_OVERSAMPLING

    def test_a_lossless_jpeg_has_no_reduced_scale(self):
        """libjpeg refuses it at any other scale, and a picture of ten times the input would get one."""
        assert decode(lossless_jpeg(320, 240), SPEC).image.size == (320, 240)
        assert (pixels(lossless_jpeg(320, 240)) == 128).all()

    def test_a_small_jpeg_is_decoded_in_full(self):
        assert decode(encode(quarters(), "JPEG"), SPEC).image.size == (64, 48)


def _smooth_noise(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(3).integers(0, 256, (height // 20, width // 20, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


class TestCropBox:
    @pytest.mark.parametrize(
        ("have", "want", "crop", "box"),
        [
            ((640, 480), (224, 224), 1, (0, 0, 640, 480)),
            ((640, 480), (224, 224), 0.875, (110, 30, 530, 450)),
            ((480, 640), (224, 224), 0.875, (30, 110, 450, 530)),
            ((100, 100), (224, 224), 0.5, (25, 25, 75, 75)),
            ((400, 100), (200, 100), 0.5, (150, 25, 250, 75)),
            ((1, 1), (224, 224), 0.875, (0.0625, 0.0625, 0.9375, 0.9375)),
        ],
        ids=["squeezed", "landscape", "portrait", "small", "not square", "1x1"],
    )
    def test_it_keeps_the_middle(self, have, want, crop, box):
        assert images._crop_box(have, want, crop) == pytest.approx(box)

    @pytest.mark.parametrize("crop", [1.0, 0.875, 0.01])
    @pytest.mark.parametrize("size", [(1, 1), (1, 16384), (16384, 1), (2, 3)], ids=str)
    def test_the_smallest_and_longest_pictures_pass(self, size, crop):
        spec = SPEC._replace(crop=crop)
        got = pixels(encode(plain((10, 20, 30), size)), spec)
        assert (got == (10, 20, 30)).all()

    def test_the_middle_is_what_the_model_sees(self):
        framed = plain((0, 0, 0), (100, 100))
        framed.paste((255, 255, 255), (20, 20, 80, 80))
        assert pixels(encode(framed), SPEC._replace(width=24, crop=0.5)).min() == 255
        assert pixels(encode(framed), SPEC._replace(width=24)).min() == 0


def test_a_webp_without_memory_for_its_library_is_not_called_broken(monkeypatch):
    """And the next one is decoded: nothing remembers that the library could not be mapped."""
    data = encode(quarters(), "WEBP")

    def no_memory(name):
        raise ImportError(f"{name}: failed to map segment from shared object")

    with monkeypatch.context() as patched:
        patched.setattr(pillow.importlib, "import_module", no_memory)
        with pytest.raises(MemoryError, match="failed to map"):
            pixels(data)
    assert pixels(data).shape == (SPEC.height, SPEC.width, 3)
