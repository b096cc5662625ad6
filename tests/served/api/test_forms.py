"""The forms of a prediction's body, at both routes, and what is refused."""

import contextlib
import functools
import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.filepost import encode_multipart_formdata

from chalicelib.api import encodings, multipart, transcoded
from chalicelib.api.parsing import no_bucket
from chalicelib.api.views import Api
from chalicelib.config import Settings
from chalicelib.errors import ClientError, InvalidRequest, PayloadTooLarge
from chalicelib.inference.formats import FORMATS
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import cold_start
from tests.support.pictures import GREEN, RED, encode, quarters
from tests.support.requests import FakeRequest, assert_is_error, b64

pytestmark = pytest.mark.usefixtures("parsed_answers")

packed = functools.partial(gzip.compress, mtime=0)
ROUTES = ["predict", "predict_image"]
PART = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
FORM = "multipart/form-data; boundary=b"


@pytest.fixture
def api(models_dir) -> Api:
    settings = Settings(model_dirs=(models_dir,), max_body_bytes=100_000)
    return Api(settings, ModelStore(settings, cold_start))


def form(**parts) -> tuple[bytes, str]:
    return encode_multipart_formdata(parts)


def part(name: bytes, data: bytes, more: bytes = b"") -> bytes:
    return PART % (name, more, data)


def request(data: bytes, kind: str | None = None, event=None, query=None, **headers: str) -> FakeRequest:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return FakeRequest(data, sent if kind is None else {**sent, "content-type": kind}, query, event=event or {})


def labels(response) -> list[str]:
    assert response.status_code == 200, response.body
    return [one["label"] for one in response.body["predictions"]]


@pytest.mark.parametrize("route", ROUTES)
class TestForm:
    @pytest.mark.parametrize("name", ["image", "file", "photo", ""])
    def test_the_one_file_is_the_picture(self, api, route, name):
        data, kind = form(**{"top_k": "2", name or "x": ("a.png", GREEN, "image/png"), "model": "channels_float"})
        assert labels(getattr(api, route)(request(data, kind))) == ["green", "red"]

    @pytest.mark.parametrize("text", [b64(GREEN), f"data:image/png;base64,{b64(GREEN)}"])
    def test_the_picture_as_text(self, api, route, text):
        data, kind = form(image=text)
        assert labels(getattr(api, route)(request(data, kind)))[0] == "green"

    def test_empty_fields_and_a_file_that_was_not_chosen(self, api, route):
        data, kind = form(top_k="", model="", file=("", b"", "application/octet-stream"), image=("a", GREEN))
        assert labels(getattr(api, route)(request(data, kind)))[0] == "green"

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ('multipart/form-data; charset=utf-8; boundary="b"', part(b"image", GREEN, b'; filename="x"') + b"--b--"),
            (FORM, b"preamble\r\n" + part(b"image", GREEN, b'; filename="x"') + b"--b--\r\nepilogue"),
            ("Multipart/Form-Data;BOUNDARY=b", part(b"image", GREEN, b"; filename*=UTF-8''%e2%82%ac") + b"--b--\r\n"),
            (FORM, part(b"image", GREEN, b'; filename="a\\"b;c.png"\r\nContent-Type: image/png') + b"--b--"),
            (FORM, part(b"image", GREEN, b"; filename=x").replace(b"--b\r\n", b"--b \t\r\n") + b"--b--"),
        ],
    )
    def test_every_spelling(self, api, route, kind, body):
        assert labels(getattr(api, route)(request(body, kind)))[0] == "green"

    @pytest.mark.parametrize(
        ("kind", "body", "says"),
        [
            ("multipart/form-data", b"x", "names no boundary"),
            ("multipart/form-data; boundary=", b"x", "names no boundary"),
            (FORM, b"x" * 90_000, "the form's boundary never comes (90000 bytes received)"),
            (FORM, b"", "the form's boundary never comes"),
            (FORM, part(b"image", GREEN, b"; filename=x"), "the form's last boundary never comes"),
            (FORM, part(b"top_k", b"1") * 1500 + b"--b--", "the form has more than 8 parts"),
            (FORM, part(b"top_k", b"1") + b"--b--", "the form has no picture"),
            (FORM, b"--b--", "the form has no picture"),
            (FORM, part(b"image", b"", b'; filename=""') + b"--b--", "no file was chosen"),
            (FORM, part(b"image", b"", b"; filename=x") + b"--b--", 'the form\'s file "image" is empty'),
            (FORM, part(b"a", GREEN, b"; filename=x") * 2 + b"--b--", "the form has 2 pictures"),
            (FORM, part(b"image", b"QUJD") + part(b"x", b"1") + b"--b--", 'unknown field "x" in the form'),
            (FORM, part(b"image", b"QUJD") + part(b"top_k", b"1") * 2 + b"--b--", 'the field "top_k" twice'),
            (FORM, part(b"image", b"QUJD") + part(b"top_k", b"1.5") + b"--b--", '"top_k" is "1.5"'),
            (FORM, part(b"image", b"QUJD") + part(b"model", b"\xff") + b"--b--", '"model" is not UTF-8'),
            (FORM, part(b"image", b"\xff\xd8\xff") + b"--b--", '"image" is not UTF-8: send a picture as a file'),
            (FORM, part(b"image", b"!") + b"--b--", '"image" is not base64'),
            (FORM, b"--b\r\nno headers\r\n--b--", "a part of the form has no headers"),
            (FORM, b"--b\r\nX: " + b"y" * 9000 + b"\r\n\r\n\r\n--b--", "or more than 4096 bytes of them"),
            (FORM, b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--", "no Content-Disposition: form-data"),
            (FORM, b"--b\r\nContent-Disposition: attachment; name=image\r\n\r\nx\r\n--b--", "no Content-Disposition"),
            (
                FORM,
                part(b"image", b"x", b"\r\nContent-Transfer-Encoding: base64") + b"--b--",
                "Content-Transfer-Encoding 'base64'",
            ),
        ],
    )
    def test_each_fault_has_its_sentence(self, api, route, kind, body, says):
        assert says in assert_is_error(getattr(api, route)(request(body, kind)).body, 400)

    def test_a_file_that_is_no_picture(self, api, route):
        data, kind = form(image=("x.png", b"%PDF-1.7"))
        assert_is_error(getattr(api, route)(request(data, kind)).body, 415)

    def test_the_query_adds_to_a_form(self, api, route):
        data, kind = form(image=("x.png", GREEN), top_k="1")
        view = getattr(api, route)
        assert labels(view(request(data, kind, query={"model": "channels_float", "top_k": "1"}))) == ["green"]
        message = assert_is_error(view(request(data, kind, query={"top_k": "2"})).body, 400)
        assert message == '"top_k" is 1 in the body and 2 in the query: send one'


@given(st.binary(max_size=300) | st.lists(st.sampled_from([b"--b", b"\r\n", b"--", b": ", b"name=x", b"\r\n--b"])))
def test_no_form_raises_anything_but_a_refusal(body):
    data = body if isinstance(body, bytes) else b"".join(body)
    with contextlib.suppress(ClientError):
        multipart.parse(data, FORM, no_bucket)


class TestQuery:
    def test_of_predict(self, api):
        body = {"image": b64(GREEN)}
        assert labels(api.predict(request(json.dumps(body).encode(), query={"top_k": "1"}))) == ["green"]
        same = request(json.dumps({**body, "top_k": 1}).encode(), query={"top_k": "1"})
        assert labels(api.predict(same)) == ["green"]
        assert len(labels(api.predict(request(json.dumps(body).encode(), query={"utm_source": "x"})))) == 3

    @pytest.mark.parametrize(
        ("fields", "query", "says"),
        [
            ({"top_k": 1}, {"top_k": "2"}, "is 1 in the body and 2 in the query"),
            ({"model": "a"}, {"model": "b"}, 'is "a" in the body and "b" in the query'),
            ({}, {"top_k": "x"}, '"top_k" is "x"'),
        ],
    )
    def test_refusals(self, api, fields, query, says):
        body = json.dumps({"image": b64(GREEN), **fields}).encode()
        assert says in assert_is_error(api.predict(request(body, query=query)).body, 400)


@pytest.mark.parametrize("route", ROUTES)
class TestBytes:
    @pytest.mark.parametrize(
        "kind",
        [
            None,
            "",
            "image/pjpeg",
            "binary/octet-stream",
            "application/x-www-form-urlencoded",
            "text/plain",
            "x",
            "/",
            ";",
        ],
    )
    @pytest.mark.parametrize("image_format", FORMATS)
    def test_they_decide(self, api, route, kind, image_format):
        assert len(labels(getattr(api, route)(request(encode(quarters(), image_format), kind)))) == 3

    @pytest.mark.parametrize(
        ("kind", "event"),
        [
            ("image/png,image/gif", {}),
            ("image/png, image/png", {}),
            ("image/png", {"multiValueHeaders": {"Content-Type": ["image/gif", "image/png"]}}),
        ],
    )
    def test_two_types(self, api, route, kind, event):
        response = getattr(api, route)(request(RED, kind, event))
        assert "two Content-Types" in assert_is_error(response.body, 400)

    def test_a_comma_in_a_quoted_parameter_is_no_second_type(self, api, route):
        assert labels(getattr(api, route)(request(RED, 'image/png; a="b,c"')))


class TestGateway:
    """Bodies that a gateway decoded to text, as their events have them."""

    @staticmethod
    def event(text: str) -> FakeRequest:
        return request(text.encode("utf-8", "replace"), None, {"body": text, "isBase64Encoded": False})

    @pytest.mark.parametrize("image_format", FORMATS)
    def test_latin_1_loses_nothing(self, api, image_format):
        data = encode(quarters(), image_format)
        want = labels(api.predict_image(request(data)))
        assert labels(api.predict_image(self.event(data.decode("latin-1")))) == want

    @pytest.mark.parametrize("image_format", FORMATS)
    def test_utf_8_with_replacements_is_told(self, api, image_format):
        text = encode(quarters(), image_format).decode("utf-8", "replace")
        for view in (api.predict, api.predict_image):
            response = view(self.event(text))
            if "\ufffd" in text:
                assert "bytes of it are lost" in assert_is_error(response.body, 400)
            else:
                assert response.status_code == 200

    def test_a_form_and_gzip_in_latin_1(self, api):
        data, kind = form(image=("x.png", GREEN))
        text = data.decode("latin-1")
        assert labels(api.predict(request(b"", kind, {"body": text})))[0] == "green"
        text = packed(GREEN).decode("latin-1")
        assert labels(api.predict(request(b"", None, {"body": text}, content_encoding="gzip")))[0] == "green"

    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
    def test_json_stays_what_it_is(self, text):
        written = json.dumps({"model": text}, ensure_ascii=False)
        assert transcoded.exact_bytes(written, "application/json") == written.encode()


class TestGzip:
    def request(self, data: bytes, coding: str = "gzip", kind: str = "image/png") -> FakeRequest:
        return request(data, kind, content_encoding=coding)

    @pytest.mark.parametrize("coding", ["gzip", "GZIP", " x-gzip "])
    def test_it_is_read(self, api, coding):
        assert labels(api.predict_image(self.request(packed(GREEN), coding)))[0] == "green"
        body = packed(json.dumps({"image": b64(GREEN)}).encode())
        assert labels(api.predict(self.request(body, coding, "application/json")))[0] == "green"

    @pytest.mark.parametrize(
        ("data", "says"),
        [
            (GREEN, "the body is no gzip"),
            (packed(GREEN)[:-5], "its end is missing"),
            (packed(GREEN) + b"x", "bytes follow its end"),
            (packed(GREEN) * 1000, "bytes follow its end"),
            (packed(GREEN)[:-6] + b"123456", "a damaged one"),
            (b"", "its end is missing"),
        ],
    )
    def test_damaged(self, api, data, says):
        assert says in assert_is_error(api.predict_image(self.request(data)).body, 400)

    @pytest.mark.parametrize("coding", ["deflate", "br", "zstd", "gzip, gzip", "?"])
    def test_other_codings(self, api, coding):
        message = assert_is_error(api.predict_image(self.request(GREEN, coding)).body, 415)
        assert "gzip is accepted" in message

    def test_a_bomb_is_not_inflated(self, api):
        bomb = zlib.compressobj(9, wbits=31)
        data = b"".join(bomb.compress(bytes(1_000_000)) for _ in range(50)) + bomb.flush()
        assert "more than 100000 bytes" in assert_is_error(api.predict_image(self.request(data)).body, 413)

    @given(st.binary(max_size=200))
    def test_at_most_one_byte_more_than_allowed_is_made(self, data):
        try:
            assert encodings.decoded(packed(data), "gzip", 100) == data
        except PayloadTooLarge:
            assert len(data) > 100
        with pytest.raises((InvalidRequest, PayloadTooLarge)):
            encodings.decoded(b"\x1f\x8b" + data, "gzip", 100)
