"""Where a browser sends a form for a bucket: the origin that a page's policy has to allow."""

from ipaddress import ip_address
from urllib.parse import urlsplit

_CHINA = "aws-cn"


def bucket_origin(bucket: str, function_arn: str, endpoint: str | None = None) -> str:
    """Scheme and host of what `Posts` signs, without loading boto3: a page is asked for more often than an upload.

    The function's region is the bucket's. `endpoint` is S3's address if it is not AWS's own. Source: Amazon S3 user
    guide, "Virtual hosting of buckets"; boto3 leaves the region out of the host in us-east-1.
    """
    if endpoint:
        parts = urlsplit(endpoint)
        return f"{parts.scheme}://{'' if _is_address(parts.hostname) else f'{bucket}.'}{parts.netloc}"
    _, partition, _, region, *_ = function_arn.split(":")
    host = "s3" if region == "us-east-1" else f"s3.{region}"
    return f"https://{bucket}.{host}.amazonaws.com{'.cn' if partition == _CHINA else ''}"


def _is_address(host: str | None) -> bool:
    """Whether it is no name, before which a bucket's name could stand."""
    try:
        return bool(ip_address(host or ""))
    except ValueError:
        return False
