"""The signatures are botocore's own."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.aws.signing import EMPTY_SHA256, signed_headers
from chalicelib.config import AwsAccess

NOW = datetime(2026, 11, 26, 9, 8, 7, tzinfo=UTC)
PATHS = [
    ("s3", "/bucket/models/digits/model.json", ""),
    ("s3", "/a/b%2Bc%3Dd%40e/%C3%A4.tflite", ""),
    ("sts", "/", "Action=GetCallerIdentity&Version=2011-06-15"),
]


def botocores(service: str, access: AwsAccess, url: str, headers: dict[str, str]) -> dict[str, str]:
    auth = pytest.importorskip("botocore.auth", reason="botocore is not installed")
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    kind: Any = auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth
    request = AWSRequest("GET", url, headers={**headers, "X-Amz-Content-SHA256": EMPTY_SHA256})
    request.context["timestamp"] = NOW.strftime("%Y%m%dT%H%M%SZ")
    request.context["payload_signing_enabled"] = True
    keys = Credentials(access.key_id, access.secret_key, access.session_token)
    signer = kind(keys, service, access.region)
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    if access.session_token:
        request.headers["X-Amz-Security-Token"] = access.session_token
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    return {"signature": signature, "signed": signer.signed_headers(signer.headers_to_sign(request))}


@pytest.mark.parametrize("token", ["token/with+signs=", None])
@pytest.mark.parametrize(("service", "path", "query"), PATHS)
def test_the_signature_is_botocores(service: str, path: str, query: str, token: str | None) -> None:
    access = AwsAccess("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token, "eu-central-1")
    own = {"range": "bytes=0-8388607", "if-match": '"5d41"', "x-amz-expected-bucket-owner": "123456789012"}
    host = f"{service}.eu-central-1.amazonaws.com"
    sent = signed_headers(access, service, (host, path, query), own, NOW)
    expected = botocores(service, access, f"https://{host}{path}{'?' if query else ''}{query}", own)
    assert f"SignedHeaders={expected['signed']}, Signature={expected['signature']}" in sent["authorization"]
    assert "Credential=AKIDEXAMPLE/20261126/eu-central-1/" in sent["authorization"]
    assert sent.get("x-amz-security-token") == token
    assert {name: sent[name] for name in own} == own


def test_no_header_shows_the_secret() -> None:
    access = AwsAccess("AKIDEXAMPLE", "do-not-show", None, "us-east-1")
    assert "do-not-show" not in str(signed_headers(access, "s3", ("h", "/", ""), {}, NOW))
