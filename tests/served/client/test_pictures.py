import io
import os

import numpy as np
import pytest
from PIL import Image

from chalicelib.client.pictures import KEEP_BYTES, MAX_RAW_BYTES, found, prepared
from chalicelib.client.server import Needs
from chalicelib.errors import InvalidRequest
from chalicelib.telemetry import Spans
from tests.support.paths import SEVEN

NEEDS = Needs(97, averages=True)
WHOLE = Needs(97, averages=False)
ORIENTATION = 0x0112


def photo(width=1600, height=1200, image_format="JPEG", **options):
    """Noise with a red upper half: more than KEEP_BYTES."""
    pixels = np.random.default_rng(1).integers(0, 90, (height, width, 3), np.uint8)
    pixels[: height // 2, :, 0] += 160
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, image_format, **options)
    assert len(stream.getvalue()) > KEEP_BYTES
    return stream.getvalue()


@pytest.fixture
def written(tmp_path):
    def write(data, name="picture"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def opened(data):
    return Image.open(io.BytesIO(data))


class TestPrepared:
    def test_a_small_picture_is_sent_as_it_is(self):
        assert prepared(SEVEN, NEEDS) == (SEVEN.read_bytes(), "image/png")

    @pytest.mark.parametrize("image_format", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "MPO"])
    def test_a_large_one_is_scaled_down_to_what_the_model_sees_twice(self, written, image_format):
        data, content_type = prepared(written(photo(image_format=image_format)), NEEDS)
        image = opened(data)
        assert (image.format, image.size, content_type) == ("JPEG", (129, 97), "image/jpeg")
        assert len(data) < 30_000

    @pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
    def test_never_where_every_pixel_counts(self, written, image_format):
        whole = photo(image_format=image_format)
        assert prepared(written(whole), WHOLE).data == whole

    def test_nor_where_it_would_not_become_smaller(self, written):
        whole = photo(800, 700, quality=100)
        assert len(whole) < MAX_RAW_BYTES
        assert prepared(written(whole), Needs(700, averages=True)).data == whole

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_it_stays_upright(self, written, orientation):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        data, _ = prepared(written(photo(2400, 1200, exif=exif)), NEEDS)
        image = opened(data)
        assert image.size == ((194, 97) if orientation < 5 else (97, 194))
        assert not image.getexif().get(ORIENTATION)
        right, bottom = image.width - 5, image.height - 5
        middle = {"top": (image.width // 2, 5), "bottom": (image.width // 2, bottom)}
        middle |= {"left": (5, image.height // 2), "right": (right, image.height // 2)}
        reddest = max(middle, key=lambda side: image.getpixel(middle[side])[0])
        sides = {1: "top", 2: "top", 3: "bottom", 4: "bottom", 5: "left", 6: "right", 7: "right", 8: "left"}
        assert reddest == sides[orientation]

    def test_transparent_pixels_become_white(self, written):
        pixels = np.random.default_rng(1).integers(0, 255, (900, 900, 4), np.uint8)
        pixels[..., 3] = 0
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        data, _ = prepared(written(stream.getvalue()), NEEDS)
        assert opened(data).getextrema() == ((255, 255),) * 3

    def test_what_pillow_cannot_open_or_converts_otherwise_is_left_to_the_server(self, written):
        sixteen = io.BytesIO()
        Image.fromarray(np.random.default_rng(1).integers(0, 65535, (900, 900), np.uint16)).save(sixteen, "PNG")
        cmyk = io.BytesIO()
        opened(photo()).convert("CMYK").save(cmyk, "JPEG")
        for data, kind in (
            (sixteen.getvalue(), "image/png"),
            (cmyk.getvalue(), "image/jpeg"),
            (photo()[:200_000] + bytes(200_000), "image/jpeg"),
            (b"%PDF-1.7", "application/octet-stream"),
        ):
            assert prepared(written(data), NEEDS) == (data, kind)

    def test_the_answer_is_that_of_the_whole_picture(self, load, written):
        """The model averages each channel: what scaling changes is far below a hundredth."""
        classifier = load("channels_float")
        whole = photo(quality=90)
        small = prepared(written(whole), NEEDS).data
        scores = [{p.label: p.score for p in classifier.classify(data, 3, Spans())} for data in (whole, small)]
        assert scores[0] == pytest.approx(scores[1], abs=0.01)

    def test_an_empty_file(self, written):
        with pytest.raises(InvalidRequest, match="has 0 bytes: expected a picture"):
            prepared(written(b""), NEEDS)


class TestFound:
    def test_files_and_folders(self, tmp_path, written):
        written(SEVEN.read_bytes(), "b.png")
        (tmp_path / "below").mkdir()
        written(SEVEN.read_bytes(), "below/a")
        written(b"text", "notes.txt")
        names = [picture.name for picture in found([str(SEVEN), str(tmp_path)])]
        assert names == [str(SEVEN), str(tmp_path / "b.png"), str(tmp_path / "below" / "a")]

    def test_what_is_not_there(self, tmp_path):
        with pytest.raises(InvalidRequest, match="no such file or folder"):
            found([str(tmp_path / "x.jpg")])
        with pytest.raises(InvalidRequest, match=r"holds no picture \(0 other files\)"):
            found([os.fspath(tmp_path)])
