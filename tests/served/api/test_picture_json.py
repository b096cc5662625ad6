"""A body of one long picture is read as every other body is: the same request, or the same refusal."""

import base64
import json
import random

import pytest

from chalicelib.api import parsing, picture_json
from chalicelib.errors import InvalidRequest

DATA = random.Random(0).randbytes(9_001)
LONG = base64.b64encode(DATA).decode()
OTHER = base64.b64encode(DATA[::-1]).decode()
TAKEN = {
    "alone": f'{{"image": "{LONG}"}}',
    "compact": f'{{"image":"{LONG}"}}',
    "with other fields": f'{{"top_k": 3, "image": "{LONG}", "model": "m"}}',
    "a field twice": f'{{"image": "QUJD", "top_k": 9, "image": "{LONG}", "top_k": 2}}',
    "white space": f' \n\t{{ "image" :\r\n "{LONG}" , "top_k" : 1 }}\n ',
    "text behind it that is not ASCII": f'{{"image": "{LONG}", "modell": "ä"}}',
    "an unknown field": f'{{"image": "{LONG}", "threshold": 1}}',
    "instances beside it": f'{{"image": "{LONG}", "instances": []}}',
    "a wrong top_k": f'{{"image": "{LONG}", "top_k": "1"}}',
}
LEFT = {
    "short": '{"image": "QUJD"}',
    "the last of two counts": f'{{"image": "{LONG}", "image": "QUJD"}}',
    "the last of two counts, empty": f'{{"image": "{LONG}", "image": ""}}',
    "two long ones": f'{{"image": "{LONG}", "image": "{OTHER}"}}',
    "the placeholder's word is sent": f'{{"image": "{LONG}", "image": "picture"}}',
    "and in escapes": f'{{"image": "{LONG}", "image": "p\\u0069cture"}}',
    "it is a key": f'{{"{LONG}": 1}}',
    "it is another field": f'{{"model": "{LONG}", "image": "QUJD"}}',
    "it lies deeper": f'{{"image": {{"image": "{LONG}"}}}}',
    "it lies in a list": f'["{LONG}"]',
    "it is no object": f'"{LONG}"',
    "instances": f'{{"instances": [{{"b64": "{LONG}"}}]}}',
    "an escaped quote before it": f'{{"model": "a\\"b", "image": "{LONG}"}}',
    "an escape in it": f'{{"image": "{LONG[:-8]}\\u0041AAAAAAA"}}',
    "an escaped solidus in it": f'{{"image": "{LONG[:4000]}\\/AAA{LONG[4000:]}"}}',
    "a line end in it": f'{{"image": "{LONG[:4000]}\n{LONG[4000:]}"}}',
    "URL-safe": f'{{"image": "{LONG.replace("+", "-").replace("/", "_")}"}}',
    "without padding": f'{{"image": "{LONG.rstrip("=")[:-1]}"}}',
    "a data: URL": f'{{"image": "data:image/png;base64,{LONG}"}}',
    "a wrong letter": f'{{"image": "{LONG[:4000]}!{LONG[4001:]}"}}',
    "never ends": f'{{"image": "{LONG}',
    "the object never ends": f'{{"image": "{LONG}"',
    "something behind it": f'{{"image": "{LONG}"}}}}',
    "not JSON before it": f'{{image: "{LONG}"}}',
    "NaN": f'{{"image": "{LONG}", "top_k": NaN}}',
    "nested too deeply": f'{{"image": "{LONG}", "top_k": {"[" * 900}}}',
    "much behind it": f'{{"image": "{LONG}", "model": "{"m " * 2000}"}}',
    "much before it": f'{{{" " * 3000}"image": "{LONG}"}}',
    "a null byte": f'{{"image":\0 "{LONG}"}}',
    "an S3 URL": '{"image": "s3://b/' + "k" * 12_000 + '"}',
}
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le")


def parsed(body: bytes):
    try:
        return parsing.parse_predict(body)
    except InvalidRequest as error:
        return str(error)


def both(body: bytes, monkeypatch) -> tuple:
    """The request or refusal, and what Python's JSON reader and then `decode_base64` make of the same body."""
    quick = parsed(body)
    with monkeypatch.context() as patch:
        patch.setattr(picture_json, "read", lambda body: None)
        return quick, parsed(body)


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_read_at_once_is_the_same_request(name, monkeypatch):
    body = TAKEN[name].encode()
    assert picture_json.read(body).picture == DATA
    quick, slow = both(body, monkeypatch)
    assert quick == slow


@pytest.mark.parametrize("name", LEFT)
def test_everything_else_is_left_to_the_other_reader(name, monkeypatch):
    body = LEFT[name].encode()
    assert picture_json.read(body) is None
    quick, slow = both(body, monkeypatch)
    assert quick == slow


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_other_encodings_of_unicode_are_left(encoding, monkeypatch):
    body = TAKEN["with other fields"].encode(encoding)
    assert picture_json.read(body) is None
    quick, slow = both(body, monkeypatch)
    assert quick == slow and quick.images == (DATA,)


def test_bytes_that_look_like_base64_in_utf_16_are_no_picture(monkeypatch):
    text = "{" + json.dumps("image") + ':"' + LONG + '"}'
    for body in (
        b"\xff\xfe" + text.encode(),
        b"{\0" + text[1:].encode(),
        text.encode("utf-16-le")[:40] + text.encode(),
    ):
        assert picture_json.read(body) is None
        quick, slow = both(body, monkeypatch)
        assert quick == slow


def test_any_change_of_a_byte_is_read_alike(monkeypatch):
    rng, places = random.Random(2), TAKEN["with other fields"].encode()
    short = len(places) - len(LONG)
    for _ in range(400):
        body = bytearray(places)
        at = rng.randrange(25) if rng.random() < 0.5 else len(body) - 1 - rng.randrange(short - 20)
        body[at] = rng.choice(b'"\\{}[]:, \0eA\xc3')
        quick, slow = both(bytes(body), monkeypatch)
        assert quick == slow, bytes(body[:40])
