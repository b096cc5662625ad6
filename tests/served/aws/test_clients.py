"""What failures of AWS become."""

import pytest

pytest.importorskip("botocore", reason="only the runtime is installed")
from botocore.exceptions import ClientError, EndpointConnectionError, IncompleteReadError, NoCredentialsError

from chalicelib.aws.clients import client, translated
from chalicelib.errors import InvalidRequest, ObjectForbidden, ObjectGone, StorageError


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
        (ConnectionResetError(), StorageError),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_failure_is_of_one_kind(raised, kind):
    with pytest.raises(kind, match=r"^s3://b/k") as caught, translated("s3://b/k"):
        raise raised
    assert type(caught.value) is kind
    assert "secret" not in str(caught.value)


def test_no_region_is_said(monkeypatch):
    pytest.importorskip("boto3", reason="only the runtime is installed")
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(StorageError, match="sqs: NoRegionError"):
        client("sqs")
