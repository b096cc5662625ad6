"""Each method of resizing against what it is named after: Pillow, a reference in plain NumPy, TensorFlow, Keras."""

import io
import json
import math

import numpy as np
import pytest
from PIL import Image

from chalicelib.config import Settings
from chalicelib.errors import ImageTooLarge
from chalicelib.inference import images, limits
from chalicelib.inference.answer import answer
from chalicelib.inference.card import RESIZES, InputSpec
from chalicelib.inference.images import decode, pixels_of
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import Spans
from tests.support.bundles import rgb_input, write_bundle
from tests.support.pictures import encode, exif, plain
from tests.support.requests import b64

SIZES = [(64, 48), (37, 50), (7, 10), (1, 1), (32, 24), (3, 90), (16, 12)]
"""Larger than the input, smaller, both, and of ratios at which pixels lie exactly between two others."""
SPEC = InputSpec(32, 24, "RGB", 1.0, (0.0,) * 3, (1.0,) * 3)
SPECS = {method: SPEC._replace(resize=method) for method in RESIZES}


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8))


def served(data: bytes, spec: InputSpec) -> np.ndarray:
    return pixels_of(data, spec, Spans())


def tf_bilinear(image: Image.Image, width: int, height: int) -> np.ndarray:
    """Half-pixel centres, four neighbours, edges repeated; one pixel after the other."""
    pixels = np.asarray(image).astype(float)
    result = np.empty((height, width, 3))
    for j in range(height):
        for i in range(width):
            x, y = (i + 0.5) * image.width / width - 0.5, (j + 0.5) * image.height / height - 0.5
            x0, y0 = math.floor(x), math.floor(y)
            result[j, i] = sum(
                (1 - abs(x - column))
                * (1 - abs(y - row))
                * pixels[_inside(row, image.height), _inside(column, image.width)]
                for row in (y0, y0 + 1)
                for column in (x0, x0 + 1)
            )
    return result


def _inside(at: int, count: int) -> int:
    return min(max(at, 0), count - 1)


class TestMethods:
    @pytest.mark.parametrize("size", SIZES, ids=str)
    def test_tf_bilinear_is_the_reference_rounded(self, size):
        got = served(encode(noise(*size)), SPECS["tf-bilinear"])
        assert np.abs(got - tf_bilinear(noise(*size), 32, 24)).max() < 0.51

    @pytest.mark.parametrize("size", [*SIZES, (1500, 1100)], ids=str)
    def test_tf_bilinear_is_tensorflows(self, size):
        tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
        want = tensorflow.image.resize(np.asarray(noise(*size)), (24, 32), method="bilinear", antialias=False).numpy()
        assert np.abs(served(encode(noise(*size)), SPECS["tf-bilinear"]) - want).max() <= 1

    @pytest.mark.parametrize("size", [*SIZES, (1500, 1100)], ids=str)
    def test_nearest_is_that_of_keras(self, size, tmp_path):
        keras = pytest.importorskip("keras", reason="Keras is not installed")
        (tmp_path / "picture.png").write_bytes(encode(noise(*size)))
        want = keras.utils.load_img(tmp_path / "picture.png", target_size=(24, 32), interpolation="nearest")
        assert np.array_equal(served(encode(noise(*size)), SPECS["nearest"]), np.asarray(want))

    @pytest.mark.parametrize(("method", "filter_"), [("area", "BOX"), ("nearest", "NEAREST"), ("bilinear", "BILINEAR")])
    @pytest.mark.parametrize("size", SIZES, ids=str)
    def test_the_others_are_pillows(self, method, filter_, size):
        want = noise(*size).resize((32, 24), Image.Resampling[filter_])
        assert np.array_equal(served(encode(noise(*size)), SPECS[method]), np.asarray(want))

    def test_each_gives_other_pixels(self):
        found = [served(encode(noise(64, 48)), spec).tobytes() for spec in SPECS.values()]
        assert len(set(found)) == len(RESIZES) == 4

    @pytest.mark.parametrize("method", RESIZES)
    def test_grey_models_get_one_channel(self, method):
        spec = SPECS[method]._replace(color="L", mean=(0.0,), std=(1.0,))
        got = served(encode(noise(64, 48)), spec)
        want = np.asarray(Image.fromarray(served(encode(noise(64, 48)), SPECS[method])).convert("L"))
        assert np.array_equal(got, want[..., np.newaxis])

    @pytest.mark.parametrize("method", RESIZES)
    @pytest.mark.parametrize("mode", ["L", "P", "RGBA", "I;16"])
    def test_every_mode_of_pillow(self, mode, method):
        image = (
            Image.fromarray(np.full((48, 64), 257 * 90, np.uint16)) if mode == "I;16" else plain((90,) * 3, (64, 48))
        )
        data = encode(image if mode == "I;16" else image.convert(mode, palette=Image.Palette.ADAPTIVE))
        assert np.abs(served(data, SPECS[method]).astype(int) - 90).max() <= 1


class TestCrop:
    @pytest.mark.parametrize("method", [method for method in RESIZES if method != "bilinear"])
    @pytest.mark.parametrize("size", [(64, 96), (16, 12)], ids=str)
    def test_nothing_outside_the_box_shows(self, method, size):
        """Half of the picture, whose edges are whole pixels: as if it had been cut out before."""
        spec = SPECS[method]._replace(crop=0.5)
        left, top, right, bottom = map(int, images._crop_box(size, (32, 24), 0.5))
        want = served(encode(noise(*size).crop((left, top, right, bottom))), SPECS[method])
        assert np.array_equal(served(encode(noise(*size)), spec), want)

    @pytest.mark.parametrize("method", RESIZES)
    @pytest.mark.parametrize("crop", [1.0, 0.875, 0.01])
    @pytest.mark.parametrize("size", [(1, 1), (1, 16384), (16384, 1), (2, 3)], ids=str)
    def test_the_smallest_and_longest_pictures_pass(self, size, crop, method):
        got = served(encode(plain((10, 20, 30), size)), SPECS[method]._replace(crop=crop))
        assert (got == (10, 20, 30)).all()


UNDO = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
"""By orientation: the transposition by which a camera would have stored the picture, as an orientation."""


class TestOrientation:
    @pytest.mark.parametrize("crop", [1.0, 0.6])
    @pytest.mark.parametrize("size", [(64, 48), (37, 50)], ids=str)
    @pytest.mark.parametrize("orientation", UNDO)
    @pytest.mark.parametrize(("method", "room"), [("nearest", 0), ("tf-bilinear", 1)])
    def test_a_turned_picture_gives_the_pixels_of_the_upright_one(self, method, room, orientation, size, crop):
        spec = SPECS[method]._replace(crop=crop)
        stored = noise(*size).transpose(images._TRANSPOSE[UNDO[orientation]])
        got = served(encode(stored, exif=exif(orientation)), spec)
        assert np.abs(got.astype(int) - served(encode(noise(*size)), spec)).max() <= room

    @pytest.mark.parametrize("orientation", UNDO)
    def test_area_averages_the_same_pixels(self, orientation):
        """Of a whole number of pixels: otherwise Pillow counts one at the edge to the box on its left."""
        stored = noise(96, 48).transpose(images._TRANSPOSE[UNDO[orientation]])
        got = served(encode(stored, exif=exif(orientation)), SPECS["area"])
        assert np.abs(got.astype(int) - served(encode(noise(96, 48)), SPECS["area"])).max() <= 1


class TestScale:
    """A JPEG is decoded at a reduced scale only if the method gives nearly the same then."""

    @pytest.mark.parametrize("method", RESIZES)
    def test_only_bilinear_takes_a_reduced_scale(self, method):
        data = encode(noise(640, 480), "JPEG")
        assert decode(data, SPECS[method]).image.size == ((160, 120) if method == "bilinear" else (640, 480))
        if method != "bilinear":
            full = images.to_pixels(images.Picture(Image.open(io.BytesIO(data)), None), SPECS[method])
            assert np.array_equal(served(data, SPECS[method]), full)

    @pytest.mark.parametrize(("size", "decoded"), [((1000, 1000), (1000, 1000)), ((1001, 1001), (501, 501)),
                                                   ((2001, 1999), (501, 500))])  # fmt: skip
    def test_what_is_too_large_for_that_is_decoded_at_the_largest_scale_that_is_not(self, monkeypatch, size, decoded):
        monkeypatch.setattr(limits, "MAX_DECODED_PX", 1_000_000)
        assert decode(encode(plain((9, 9, 9), size), "JPEG"), SPECS["nearest"]).image.size == decoded

    def test_the_whole_scale_is_in_the_estimate(self):
        photo, upright = encode(plain((9, 9, 9), (640, 480)), "JPEG"), encode(plain((9, 9, 9), (640, 480)))
        turned = encode(plain((9, 9, 9), (640, 480)), exif=exif(6))
        cost = {method: images.seconds_of(photo, spec) for method, spec in SPECS.items()}
        assert cost["area"] == cost["nearest"] == cost["tf-bilinear"]
        assert cost["area"] - cost["bilinear"] == pytest.approx(640 * 480 * limits.FULL_NS / 1e9)
        assert images.seconds_of(upright, SPECS["nearest"]) == images.seconds_of(upright, SPEC)
        more = images.seconds_of(turned, SPECS["nearest"]) - images.seconds_of(turned, SPEC)
        assert more == pytest.approx(640 * 480 * limits.TURN_NS / 1e9)

    def test_a_picture_that_takes_too_long_at_the_whole_scale_is_refused(self, monkeypatch):
        data = encode(plain((9, 9, 9), (640, 480)), "JPEG")
        monkeypatch.setattr(limits, "REQUEST_S", images.seconds_of(data, SPEC) * 1.01)
        assert served(data, SPEC) is not None
        with pytest.raises(ImageTooLarge):
            served(data, SPECS["area"])

    def test_the_scale_that_a_picture_needs_anyway_costs_no_more_than_it_decodes(self):
        """100 megapixels are decoded as 25."""
        largest = images.strip(encode(plain((9,), (8, 8), "L"), "JPEG"))._replace(width=10_000, height=10_000)
        more = limits.seconds(largest, "nearest") - limits.seconds(largest)
        assert more == pytest.approx(limits.MAX_DECODED_PX * limits.FULL_NS / 1e9)


def by_pillow(method: str, image: Image.Image) -> np.ndarray:
    """The picture at 8x8 px, without the code under test."""
    if method == "tf-bilinear":
        return np.rint(tf_bilinear(image, 8, 8))
    filters = {"bilinear": "BILINEAR", "area": "BOX", "nearest": "NEAREST"}
    return np.asarray(image.resize((8, 8), Image.Resampling[filters[method]])).astype(float)


class TestServed:
    """By every way in, the model sees what its card's method gives. It averages each channel, as logits."""

    IMAGE = noise(20, 13)

    @pytest.mark.parametrize("method", RESIZES)
    def test_every_route_answers_alike(self, method, serve, tmp_path):
        write_bundle(tmp_path, input=rgb_input() | {"resize": method})
        client, data = serve(tmp_path), encode(self.IMAGE)
        bodies = [{"image": b64(data)}, {"instances": [{"b64": b64(data)}] * 2}]
        sent = [("/predict", "application/json", json.dumps(body).encode()) for body in bodies]
        single, several, raw = (
            client.http.post(path, headers={"Content-Type": kind}, body=body).json_body["predictions"]
            for path, kind, body in [*sent, ("/predict/image", "image/png", data)]
        )
        assert several == [single, single] and raw == single
        assert sorted((p["index"], p["score"]) for p in single) == self.scores(method)

    @pytest.mark.parametrize("method", RESIZES)
    def test_batches_and_folders_answer_so_too(self, method, tmp_path):
        write_bundle(tmp_path, input=rgb_input() | {"resize": method})
        store = ModelStore(Settings(model_dirs=(tmp_path,)))
        found = answer(store, lambda: encode(self.IMAGE))
        assert sorted((p["index"], p["score"]) for p in found["predictions"]) == self.scores(method)

    def scores(self, method: str) -> list[tuple[int, float]]:
        """Index and score of each label, by the picture's mean."""
        powers = np.exp((by_pillow(method, self.IMAGE).mean(axis=(0, 1)) - 127.5) / 127.5)
        return [(i, pytest.approx(p, abs=2e-6)) for i, p in enumerate(powers / powers.sum())]

    def test_the_scores_tell_the_methods_apart(self):
        means = [by_pillow(method, self.IMAGE).mean(axis=(0, 1)) for method in RESIZES]
        assert min(np.abs(a - b).max() for i, a in enumerate(means) for b in means[:i]) > 0.05

    @pytest.mark.parametrize(("method", "status"), [("bilinear", 200), ("nearest", 413)])
    def test_the_pictures_of_a_request_share_the_time_of_their_method(
        self, method, status, serve, tmp_path, monkeypatch
    ):
        """One of them is within the limit by either method, and two only by one."""
        write_bundle(tmp_path, input=rgb_input() | {"resize": method})
        data = encode(plain((9,), (640, 480), "L"), "JPEG")
        monkeypatch.setattr(limits, "REQUEST_S", images.seconds_of(data, SPECS["nearest"]) * 1.01)
        assert 2 * images.seconds_of(data, SPEC) < limits.REQUEST_S
        body = json.dumps({"instances": [{"b64": b64(data)}] * 2}).encode()
        response = serve(tmp_path).http.post("/predict", headers={"Content-Type": "application/json"}, body=body)
        assert response.status_code == status
