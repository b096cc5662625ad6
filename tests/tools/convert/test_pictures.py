"""The converter takes the pictures that the served code takes: by their bytes, and through the same door."""

import numpy as np
import pytest

from chalicelib.inference.card import InputSpec
from convert.errors import ConvertError
from convert.pictures import find_pictures, read_pixels
from tests.support.pictures import encode, quarters

SPEC = InputSpec(32, 24, "RGB", 1.0, (0.0,) * 3, (1.0,) * 3)
JPEG = encode(quarters(), "JPEG")


def test_names_do_not_matter_and_what_macos_leaves_behind_stops_nothing(tmp_path):
    for name, data in {
        "b/x.jfif": JPEG, "b/._x.jfif": b"\0\5\x16\7", "a": JPEG, "labels.csv": b"key,label", ".DS_Store": b"\0\0\0\1",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert find_pictures(tmp_path, "calibration") == [tmp_path / "a", tmp_path / "b" / "x.jfif"]


@pytest.mark.parametrize("name", ["x.txt", "._x.jpg"])
def test_a_folder_without_pictures(tmp_path, name):
    (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(ConvertError, match=r"--validation .* holds no picture \(JPEG, PNG, WebP, GIF or BMP\)"):
        find_pictures(tmp_path, "validation")


def test_a_damaged_palette_is_an_error_of_its_file(tmp_path):
    data = encode(quarters().convert("P")).replace(b"PLTE", b"teXt")
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(
        ConvertError, match=r"x\.png: a PNG image of .* broken or truncated; repair the picture or remove"
    ):
        read_pixels(tmp_path / "x.png", SPEC)


def test_pixels_are_those_of_the_served_code(tmp_path):
    (tmp_path / "motion").write_bytes(JPEG + b"\xff\xda" * 150)
    (tmp_path / "still").write_bytes(JPEG)
    assert np.array_equal(read_pixels(tmp_path / "motion", SPEC), read_pixels(tmp_path / "still", SPEC))
