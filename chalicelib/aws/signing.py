"""Signs a GET of an AWS service (Signature Version 4).

It stands in for botocore where an SDK would cost a cold start more than the call: boto3 and its S3 client take 130 ms
and more of processor time, this takes 1. `tests/served/aws/test_signing.py` compares it with botocore's own.
Source: IAM user guide, "Create a signed AWS API request".
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from chalicelib.config import AwsAccess

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
"""Of the body of a GET."""


def signed_headers(
    access: AwsAccess, service: str, url: tuple[str, str, str], headers: Mapping[str, str], now: datetime
) -> dict[str, str]:
    """The headers to send. `url` is host, encoded path and encoded query, whose parameters are in order.

    `headers` are the call's own, with names in lower case; `now` is in UTC.
    """
    host, path, query = url
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    sent = {**headers, "host": host, "x-amz-content-sha256": EMPTY_SHA256, "x-amz-date": stamp}
    if access.session_token:
        sent["x-amz-security-token"] = access.session_token
    names = ";".join(sorted(sent))
    lines = [f"{name}:{sent[name].strip()}" for name in sorted(sent)]
    canonical = "\n".join(["GET", path, query, *lines, "", names, EMPTY_SHA256])
    scope = f"{stamp[:8]}/{access.region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + access.secret_key.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"Credential={access.key_id}/{scope}"
    authorization = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"
    return {**sent, "authorization": authorization}
