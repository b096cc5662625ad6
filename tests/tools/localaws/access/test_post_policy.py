"""Signed forms, as S3 holds them against their policies."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from urllib3.filepost import encode_multipart_formdata

from localaws.access import post_policy
from localaws.host.environment import role_keys

CONDITIONS = [{"Content-Type": "image/png"}, ["content-length-range", 1, 10], ["starts-with", "$x-amz-meta-a", "b"]]
FIELDS = {"Content-Type": "image/png", "x-amz-meta-a": "bc"}


@pytest.fixture(scope="module")
def signed() -> dict[str, str]:
    options: Any = {"config": Config(signature_version="s3v4"), **role_keys("someone")}
    client = boto3.client("s3", region_name="eu-west-1", **options)
    made = client.generate_presigned_post("bucket", "key", Fields=dict(FIELDS), Conditions=CONDITIONS, ExpiresIn=60)
    client.close()
    return dict(made["fields"])


def sent(fields: dict[str, str], data: bytes = b"12345", path: str = "/bucket", **more: str) -> dict[str, Any]:
    body, kind = encode_multipart_formdata({**fields, "file": ("x.png", data)})
    about = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
    return {
        **about,
        "wsgi.input": io.BytesIO(body),
        "SERVER_NAME": "x",
        "SERVER_PORT": "1",
        "wsgi.url_scheme": "http",
    } | more


def code_of(environ: dict[str, Any], now: datetime | None = None) -> str | None:
    try:
        form = post_policy.form_of(environ)
        assert form is not None
        post_policy.check(form, now)
    except post_policy.Refused as refused:
        assert f"<Code>{refused.code}</Code>" in refused.response().get_data(as_text=True)
        return refused.code
    return None


def test_what_the_policy_allows(signed):
    environ = sent(signed)
    assert code_of(environ) is None
    assert len(environ["wsgi.input"].read()) == int(environ["CONTENT_LENGTH"])  # for the service
    form = post_policy.form_of(sent(signed))
    assert form.call.key_id == "role.someone" and form.call.region == "eu-west-1"


@pytest.mark.parametrize(
    ("change", "data", "code"),
    [
        ({}, b"", "EntityTooSmall"),
        ({}, bytes(11), "EntityTooLarge"),
        ({"key": "other"}, b"1", "AccessDenied"),
        ({"Content-Type": "text/html"}, b"1", "AccessDenied"),
        ({"x-amz-meta-a": "c"}, b"1", "AccessDenied"),
        ({"x-amz-meta-more": "c"}, b"1", "AccessDenied"),
        ({"x-ignore-this": "c"}, b"1", None),
        ({"policy": "e30="}, b"1", "SignatureDoesNotMatch"),
        ({"x-amz-signature": ""}, b"1", "SignatureDoesNotMatch"),
        ({"x-amz-credential": "nobody"}, b"1", "AccessDenied"),
    ],
)
def test_what_it_does_not(signed, change, data, code):
    assert code_of(sent({**signed, **change}, data)) == code


def test_another_bucket_and_a_form_that_is_old(signed):
    assert code_of(sent(signed, path="/other")) == "AccessDenied"
    assert code_of(sent(signed), datetime.now(UTC) + timedelta(seconds=61)) == "AccessDenied"
    assert code_of(sent({"key": "x"})) == "AccessDenied"


def test_other_requests_are_no_forms(signed):
    assert post_policy.form_of(sent(signed, HTTP_AUTHORIZATION="AWS4-HMAC-SHA256 x")) is None
    assert post_policy.form_of(sent(signed, path="/bucket/key")) is None
    assert post_policy.form_of(sent(signed, path="/")) is None
    assert post_policy.form_of({**sent(signed), "REQUEST_METHOD": "PUT"}) is None
