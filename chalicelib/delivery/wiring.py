"""Makes what fetches the bundle at MODEL_URI."""

import tempfile
from pathlib import Path

from chalicelib.config import AwsAccess, aws_access
from chalicelib.delivery.s3_bundle import S3Bundle

FOLDER = "models"
"""Below /tmp, the only place to which a function may write."""


def bundle_at(uri: str, memory_mb: int | None) -> S3Bundle:
    """The bundle at a checked MODEL_URI, for a function of so much memory (None: unknown)."""
    return S3Bundle(uri, Path(tempfile.gettempdir()) / FOLDER, _access, memory_mb)


def _access() -> AwsAccess:
    """From the environment, as Lambda sets it; boto3 knows other places, but takes 100 ms to be imported."""
    access = aws_access()
    if access is None:
        from chalicelib.aws.clients import access_of_boto3

        access = access_of_boto3()
    return access
