"""Presigned POSTs of S3: whoever has one may put one object of a bounded size, without credentials, for a time."""

from typing import Any, NamedTuple

from chalicelib.aws.clients import translated


class Post(NamedTuple):
    """Where a form with `fields`, and after them a field `file`, is to be sent."""

    url: str
    fields: dict[str, str]


class Posts:
    """Signs with the client's credentials; S3 holds the object against the signed policy, and not this process.

    Source: Amazon S3 API reference, "Browser-based uploads using POST" and "Creating a POST policy".
    """

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def sign(self, bucket: str, key: str, content_type: str, max_bytes: int, seconds: int) -> Post:
        """A POST of 1 to `max_bytes` bytes to one key; raises as `translated`. No call is made."""
        conditions = [{"Content-Type": content_type}, ["content-length-range", 1, max_bytes]]
        with translated(f"s3://{bucket}/{key}"):
            made = self._s3.generate_presigned_post(
                bucket, key, Fields={"Content-Type": content_type}, Conditions=conditions, ExpiresIn=seconds
            )
        return Post(made["url"], made["fields"])
