"""S3: reads, lists and writes objects. The boto3 client is passed in; errors are those of `clients.translated`."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from chalicelib.aws.buckets import Buckets
from chalicelib.aws.clients import translated
from chalicelib.errors import PayloadTooLarge

PART_BYTES = 8 * 1024 * 1024
"""Size of the parts of a large file. S3 requires at least 5 MB, and accepts 10,000 parts."""


class Listed(NamedTuple):
    """An object in a listing."""

    key: str
    size_bytes: int
    etag: str


class Fetched(NamedTuple):
    """An object's bytes, and the ETag that it had when they were read."""

    data: bytes
    etag: str | None


class Objects:
    """Objects in the buckets of a stage. Every method raises ObjectForbidden for other buckets, before it asks S3.

    Without `buckets`, the rights of the client's credentials alone decide.
    """

    def __init__(self, s3: Any, buckets: Buckets | None = None) -> None:
        self._s3, self._buckets = s3, buckets

    def read(self, bucket: str, key: str, max_bytes: int) -> bytes:
        """An object's bytes, whole; raises PayloadTooLarge before it reads more than `max_bytes`, else as `translated`.

        botocore compares the length, and the checksum if S3 has one that it can calculate: CRC32, SHA-1, SHA-256, and
        others if awscrt is installed. It does so in `StreamingBody.read`. `with body` would enter the stream below
        that, which verifies nothing.
        """
        return self.fetch(bucket, key, max_bytes).data

    def fetch(self, bucket: str, key: str, max_bytes: int) -> Fetched:
        """`read`, with the ETag."""
        with translated(f"s3://{bucket}/{key}"):
            answer = self._s3.get_object(**self._owned(bucket), Key=key, ChecksumMode="ENABLED")
            body = answer["Body"]
            try:
                if answer["ContentLength"] > max_bytes:
                    raise too_large(answer["ContentLength"], max_bytes)
                data: bytes = body.read()
            finally:
                body.close()
        return Fetched(data, str(answer.get("ETag", "")).strip('"') or None)

    def page(self, bucket: str, prefix: str, after: str, limit: int) -> list[Listed]:
        """Up to `limit` objects whose keys follow `after` in byte order; fewer than `limit` only at the end.

        S3 itself may return fewer keys than requested although there are more. Raises as `translated` does: ObjectGone
        if there is no such bucket, ObjectForbidden, InvalidRequest if it is in another region, StorageError.
        """
        found: list[Any] = []
        owned, where = self._owned(bucket), {"StartAfter": after}
        with translated(f"s3://{bucket}"):
            while True:
                wanted = limit - len(found)
                answer = self._s3.list_objects_v2(**owned, Prefix=prefix, MaxKeys=wanted, **where)
                found += answer.get("Contents", [])
                if not answer.get("IsTruncated") or len(found) >= limit:
                    break
                where = {"ContinuationToken": answer["NextContinuationToken"]}
        return [Listed(o["Key"], o["Size"], o.get("ETag", "").strip('"')) for o in found]

    def write(self, bucket: str, key: str, chunks: Iterable[bytes], content_type: str) -> None:
        """Write an object, of which readers see all or nothing; raises as `translated`. Keeps two parts in memory."""
        target = {**self._owned(bucket), "Key": key}
        parts = _parts(chunks)
        first, second = next(parts, b""), next(parts, None)
        with translated(f"s3://{bucket}/{key}"):
            if second is None:
                self._s3.put_object(**target, Body=first, ContentType=content_type)
            else:
                self._write_parts(target, content_type, (part for some in ([first, second], parts) for part in some))

    def _owned(self, bucket: str) -> dict[str, str]:
        """The bucket with the owner that S3 compares: it answers 403 if the bucket belongs to another account.

        Source: "Verifying bucket ownership with bucket owner condition" of the Amazon S3 user guide.
        """
        if self._buckets is None:
            return {"Bucket": bucket}
        self._buckets.check(bucket)
        return {"Bucket": bucket, "ExpectedBucketOwner": self._buckets.account}

    def _write_parts(self, target: dict[str, str], content_type: str, parts: Iterator[bytes]) -> None:
        target["UploadId"] = self._s3.create_multipart_upload(**target, ContentType=content_type)["UploadId"]
        try:
            sent = [
                {"PartNumber": number, "ETag": self._s3.upload_part(**target, PartNumber=number, Body=part)["ETag"]}
                for number, part in enumerate(parts, 1)
            ]
            self._s3.complete_multipart_upload(**target, MultipartUpload={"Parts": sent})
        except BaseException:
            with suppress(Exception):  # the first error says whether a retry helps; S3 lists what is left over
                self._s3.abort_multipart_upload(**target)
            raise


def too_large(size_bytes: int, max_bytes: int) -> PayloadTooLarge:
    """The error of a picture with too many bytes, in S3 or in a folder."""
    return PayloadTooLarge(f"the object has {size_bytes} bytes: at most {max_bytes} are read")


def json_lines(rows: Iterable[Any]) -> Iterator[bytes]:
    """Chunks for `Objects.write`: each row as a line of JSON."""
    return (json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    part = bytearray()
    for chunk in chunks:
        part += chunk
        if len(part) >= PART_BYTES:
            yield bytes(part)
            part.clear()
    if part:
        yield bytes(part)
