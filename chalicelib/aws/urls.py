"""The form of `s3://bucket/prefix`."""

import re

from chalicelib.errors import InvalidRequest

S3_PATTERN = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[^\x00]{0,900})?$"
"""A pattern of JSON Schema. Source: "Bucket naming rules" of the Amazon S3 user guide."""


def parse_s3_url(text: str, field: str) -> tuple[str, str]:
    """Bucket and prefix, with nothing decoded; raises InvalidRequest, whose message names `field`."""
    if not re.fullmatch(S3_PATTERN, text):
        raise InvalidRequest(f'"{field}" is {text[:100]!r}: expected s3://bucket/prefix')
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    return bucket, prefix
