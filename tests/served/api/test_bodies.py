"""A body in base64 is what Chalice makes of it, whoever decodes it."""

import base64

import pytest
from chalice.app import Request

from chalicelib.api.bodies import read_body
from chalicelib.errors import InvalidRequest

PLAIN = base64.b64encode(bytes(range(256)) * 20).decode()
ABOUT = {"httpMethod": "POST", "resourcePath": "/predict"}


def request(text: str | None) -> Request:
    event = {
        "requestContext": ABOUT,
        "headers": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": text,
        "isBase64Encoded": True,
    }
    return Request(event, None)


@pytest.mark.parametrize(
    "text",
    [PLAIN, "QQ==", "QR==", "", None, "\n".join((PLAIN[:76], PLAIN[76:])), "Q!Q==", "QUJD====", "QQ==QQ==", PLAIN * 2],
    ids=["usual", "short", "bits that no byte needs", "empty", "none", "lines", "a letter that is none", "padding",
         "two", "behind another"],
)  # fmt: skip
def test_it_is_the_same(text):
    assert read_body(request(text), 10_000).data == (request(text).raw_body or b"")


@pytest.mark.parametrize("text", ["Q", "QQ", PLAIN[:-1] + "ä", "\ud800"])
def test_what_chalice_cannot_decode_is_refused(text):
    with pytest.raises(ValueError):
        request(text).raw_body  # noqa: B018
    with pytest.raises(InvalidRequest, match="the body cannot be read as bytes"):
        read_body(request(text), 10_000)
