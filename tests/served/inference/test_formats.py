"""The table of formats, and everything that must agree with it."""

import re
import subprocess
import sys

import pytest

from chalicelib.api import contract, views
from chalicelib.inference.formats import ACCEPTED, BINARY_TYPES, FORMATS, SUFFIXES
from chalicelib.inference.images import sniff
from tests.support.paths import ROOT
from tests.support.pictures import encode, quarters


def test_what_is_derived():
    assert ACCEPTED == "JPEG, PNG, WebP, GIF and BMP are accepted"
    assert SUFFIXES == (".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".png", ".webp")
    assert [
        *("image/jpeg", "image/jpg", "image/png", "image/webp", "image/gif", "image/bmp"),
        "application/octet-stream",
    ] == BINARY_TYPES


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_format_is_known_by_its_whole_signature(image_format):
    data = encode(quarters(), image_format)
    assert sniff(data) == image_format
    for offset, part in FORMATS[image_format].signature.items():
        assert data[offset : offset + len(part)] == part


def test_no_type_of_a_body_is_text_for_api_gateway():
    code = "import app; print(app.app.api.binary_types)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(views.EVERY_TYPE) == "['*/*']"


def test_the_contract_names_the_formats():
    assert contract.IMAGE.schema["description"].startswith("A JPEG, PNG, WebP, GIF or BMP image: ")


def test_the_page_takes_the_first_media_type_of_each():
    page = (ROOT / "chalicelib" / "api" / "web" / "preparing.js").read_text(encoding="utf-8")
    (served,) = re.findall(r"const SERVED = \[(.*?)\];", page)
    in_the_page = {text.strip().strip('"') for text in served.split(",")}
    assert in_the_page == {known.media_types[0] for known in FORMATS.values()}
