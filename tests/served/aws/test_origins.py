"""The origin is that of what boto3 signs, in every kind of region and at another endpoint."""

from urllib.parse import urlsplit

import pytest

from chalicelib.aws.origins import bucket_origin


@pytest.mark.parametrize(
    "endpoint", [None, "http://127.0.0.1:4566", "http://[::1]:4566", "http://localhost:4566", "https://s3.example.org"]
)
@pytest.mark.parametrize(
    ("partition", "region"),
    [
        ("aws", "us-east-1"),
        ("aws", "us-west-2"),
        ("aws", "eu-central-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-cn", "cn-north-1"),
    ],
)
def test_the_origin_of_a_signed_form(partition, region, endpoint):
    bucket = f"slimception-dev-123456789012-{region}"
    arn = f"arn:{partition}:lambda:{region}:123456789012:function:slimception-dev"
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    from botocore.config import Config

    s3 = boto3.client(
        "s3",
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    )
    signed = urlsplit(s3.generate_presigned_post(bucket, "uploads/x")["url"])
    assert bucket_origin(bucket, arn, endpoint) == f"{signed.scheme}://{signed.netloc}"
