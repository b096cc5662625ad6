"""What failures of AWS become."""

import pytest

pytest.importorskip("botocore", reason="botocore is not installed")
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    FlexibleChecksumError,
    IncompleteReadError,
    NoCredentialsError,
    ResponseStreamingError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import DecodeError, ReadTimeoutError

from chalicelib.aws.clients import access_of_boto3, client, translated
from chalicelib.config import AwsAccess
from chalicelib.errors import InvalidRequest, ObjectForbidden, ObjectGone, SlimceptionError, StorageError


def client_error(code):
    return ClientError({"Error": {"Code": code, "Message": "secret"}}, "GetObject")


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (client_error("NoSuchKey"), ObjectGone),
        (client_error("NoSuchBucket"), ObjectGone),
        (client_error("AccessDenied"), ObjectForbidden),
        (client_error("InvalidObjectState"), ObjectForbidden),
        (client_error("PermanentRedirect"), InvalidRequest),
        (client_error("AuthorizationHeaderMalformed"), InvalidRequest),
        (client_error("SlowDown"), StorageError),
        (client_error("ProvisionedThroughputExceededException"), StorageError),
        (client_error("ExpiredToken"), StorageError),
        (EndpointConnectionError(endpoint_url="https://s3"), StorageError),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), StorageError),
        (NoCredentialsError(), StorageError),
        (FlexibleChecksumError(error_msg="crc32"), StorageError),
        (ResponseStreamingError(error=OSError()), StorageError),
        (ResponseParserError("Unable to parse response: invalid XML"), StorageError),
        (ReadTimeoutError(None, "/", "Read timed out."), StorageError),
        (DecodeError(), StorageError),
        (ConnectionResetError(), StorageError),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_failure_is_of_one_kind(raised, kind):
    with pytest.raises(kind, match=r"^s3://b/k") as caught, translated("s3://b/k"):
        raise raised
    assert type(caught.value) is kind
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("what", "code", "message"),
    [
        ("s3://b/k", "NoSuchKey", "s3://b/k is not there (NoSuchKey)"),
        (
            "s3://b/k",
            "AccessDenied",
            "s3://b/k: access denied (AccessDenied): this stage's IAM policies allow only its account's "
            "buckets named slimception-<stage>-<account>-*",
        ),
        (
            "queue q",
            "AccessDenied",
            "queue q: access denied (AccessDenied): these credentials' IAM policies do not allow the call",
        ),
        (
            "s3://b/k",
            "InvalidObjectState",
            "s3://b/k is archived or encrypted (InvalidObjectState): restore it, or allow this stage to use its key",
        ),
        (
            "s3://b",
            "PermanentRedirect",
            "s3://b is in another AWS region (PermanentRedirect): deploy a stage in that region",
        ),
        ("queue q", "ExpiredToken", "queue q: ExpiredToken (the credentials have expired: sign in again)"),
        ("table t", "ThrottlingException", "table t: ThrottlingException"),
    ],
)
def test_a_message_says_what_is_wrong_and_what_to_do(what, code, message):
    with pytest.raises(SlimceptionError) as caught, translated(what):
        raise client_error(code)
    assert str(caught.value) == message


def test_a_region_that_is_not_set(monkeypatch):
    pytest.importorskip("boto3", reason="boto3 is not installed")
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(StorageError, match=r"sqs: NoRegionError \(set a region"):
        client("sqs")


class TestAccess:
    """Keys for calls without boto3, from where only boto3 looks."""

    @pytest.fixture(autouse=True)
    def no_account(self, monkeypatch, tmp_path):
        pytest.importorskip("boto3", reason="boto3 is not installed")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_PROFILE",
                     "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):  # fmt: skip
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setattr("boto3.DEFAULT_SESSION", None)

    def test_of_a_profile(self, tmp_path):
        (tmp_path / "credentials").write_text("[default]\naws_access_key_id = id\naws_secret_access_key = secret\n")
        (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
        assert access_of_boto3() == AwsAccess("id", "secret", None, "eu-west-1")

    def test_without_keys_or_region(self, tmp_path):
        with pytest.raises(StorageError, match="the credentials: NoCredentialsError"):
            access_of_boto3()
        (tmp_path / "credentials").write_text("[default]\naws_access_key_id = id\naws_secret_access_key = secret\n")
        with pytest.raises(StorageError, match="the credentials: NoRegionError"):
            access_of_boto3()
