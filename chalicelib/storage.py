"""S3 and SQS behind plain classes whose clients are passed in. boto3 is imported at the first use, never with `app`.

Every failure becomes one of three: the object is not there (ObjectGone), S3 forbids it (ObjectForbidden), or it may
go well another time (StorageError).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from chalicelib.errors import InvalidRequest, ObjectForbidden, ObjectGone, PayloadTooLarge, StorageError

PART_BYTES = 8 * 1024 * 1024
"""Of a file that is written in parts; S3 wants at least 5 MB, and takes 10,000 parts."""
SEND_AT_ONCE = 10
SENDERS = 8
_GONE = {"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404"}
_FORBIDDEN = {"AccessDenied", "AllAccessDisabled", "InvalidObjectState", "403"}
_FORBIDDEN |= {"InvalidRequest", "KMS.DisabledException", "KMS.NotFoundException"}  # its key is not to be had
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
_REMEDIES = {
    "NoRegionError": "name a region: AWS_DEFAULT_REGION, or `aws configure`",
    "NoCredentialsError": "give credentials: `aws configure`, or AWS_PROFILE",
    "ProfileNotFound": "AWS_PROFILE names none that is configured",
    "EndpointConnectionError": "no connection",
    "ExpiredToken": "the credentials are too old: sign in again",
    "ExpiredTokenException": "the credentials are too old: sign in again",
    "UnrecognizedClientException": "AWS does not know these credentials",
    "InvalidClientTokenId": "AWS does not know these credentials",
    "ResourceNotFoundException": "is the stage deployed, in this region?",
    "AWS.SimpleQueueService.NonExistentQueue": "is the stage deployed, in this region?",
}
"""For whoever reads the log or the command line; a client of the API is told none of this."""


class Listed(NamedTuple):
    """An object as a listing has it."""

    key: str
    size_bytes: int
    etag: str


def client(service: str, region: str | None = None) -> Any:
    """A boto3 client that repeats what fails for a moment; raises StorageError where there is no region."""
    import boto3
    from botocore.config import Config

    options = Config(
        connect_timeout=3, read_timeout=20, max_pool_connections=32, retries={"mode": "standard", "max_attempts": 4}
    )
    with translated(service):
        return boto3.client(service, region_name=region, config=options)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what botocore raises into this project's errors; `what` begins the message."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        yield
    except ClientError as error:
        raise _error_for(what, error.response.get("Error", {})) from error
    except (BotoCoreError, HTTPClientError, OSError) as error:  # no connection, time-outs, a body cut short
        raise _to_try_again(what, type(error).__name__) from error


def _error_for(what: str, error: Any) -> Exception:
    code = str(error.get("Code"))
    if code in _GONE:
        return ObjectGone(f"{what} is not there ({code})")
    if code in _FORBIDDEN:
        return ObjectForbidden(f"{what} may not be used by this installation ({code}): its policies name what may")
    if code in _ELSEWHERE:
        return InvalidRequest(f"{what} lies in another region than this installation ({code}): deploy one there")
    return _to_try_again(what, code)


def _to_try_again(what: str, code: str) -> StorageError:
    remedy = f" ({_REMEDIES[code]})" if code in _REMEDIES else ""
    return StorageError(f"{what}: {code}{remedy}")


class Objects:
    """What is done with S3."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def read(self, bucket: str, key: str, max_bytes: int) -> bytes:
        """An object's bytes; raises PayloadTooLarge before reading them, and what `translated` raises."""
        with translated(f"s3://{bucket}/{key}"):
            answer = self._s3.get_object(Bucket=bucket, Key=key)
            with answer["Body"] as body:
                if answer["ContentLength"] > max_bytes:
                    raise too_large(answer["ContentLength"], max_bytes)
                data: bytes = body.read()
        return data

    def page(self, bucket: str, prefix: str, after: str, limit: int) -> list[Listed]:
        """Up to `limit` objects behind the key `after`, in the order of their keys' bytes; fewer only at the end.

        S3 may answer with fewer than it was asked for and have more.
        """
        found: list[Any] = []
        where = {"StartAfter": after}
        with translated(f"s3://{bucket}"):
            while True:
                wanted = limit - len(found)
                answer = self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=wanted, **where)
                found += answer.get("Contents", [])
                if not answer.get("IsTruncated") or len(found) >= limit:
                    break
                where = {"ContinuationToken": answer["NextContinuationToken"]}
        return [Listed(o["Key"], o["Size"], o.get("ETag", "").strip('"')) for o in found]

    def write(self, bucket: str, key: str, chunks: Iterable[bytes], content_type: str) -> None:
        """Write an object that is seen whole or not at all, holding PART_BYTES of it in memory."""
        parts = _parts(chunks)
        first, second = next(parts, b""), next(parts, None)
        with translated(f"s3://{bucket}/{key}"):
            if second is None:
                self._s3.put_object(Bucket=bucket, Key=key, Body=first, ContentType=content_type)
            else:
                self._write_parts(
                    bucket, key, content_type, (part for some in ([first, second], parts) for part in some)
                )

    def _write_parts(self, bucket: str, key: str, content_type: str, parts: Iterator[bytes]) -> None:
        target = {"Bucket": bucket, "Key": key}
        target["UploadId"] = self._s3.create_multipart_upload(**target, ContentType=content_type)["UploadId"]
        try:
            sent = [
                {"PartNumber": number, "ETag": self._s3.upload_part(**target, PartNumber=number, Body=part)["ETag"]}
                for number, part in enumerate(parts, 1)
            ]
            self._s3.complete_multipart_upload(**target, MultipartUpload={"Parts": sent})
        except BaseException:
            self._s3.abort_multipart_upload(**target)
            raise


class Queue:
    """One SQS queue, known by its name."""

    def __init__(self, sqs: Any, name: str) -> None:
        self._sqs, self.name = sqs, name
        self._known_url: str | None = None

    def send(self, bodies: Sequence[str]) -> None:
        """Send every message, ten at a time and several tens at once; raises StorageError if any is refused."""
        tens = [bodies[start : start + SEND_AT_ONCE] for start in range(0, len(bodies), SEND_AT_ONCE)]
        with translated(f"queue {self.name}"):
            self._url()
            if len(tens) < 2:
                refused = [self._send(ten) for ten in tens]
            else:
                with ThreadPoolExecutor(SENDERS) as senders:
                    refused = list(senders.map(self._send, tens))
        if any(refused):
            raise StorageError(f"queue {self.name} refused {sum(refused)} of {len(bodies)} messages")

    def receive(self, visibility_s: int) -> list[dict[str, Any]]:
        """Up to ten messages, hidden from others for `visibility_s`."""
        with translated(f"queue {self.name}"):
            answer = self._sqs.receive_message(
                QueueUrl=self._url(), MaxNumberOfMessages=10, VisibilityTimeout=visibility_s, WaitTimeSeconds=1
            )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def delete(self, receipt: str) -> None:
        """Forget a received message."""
        with translated(f"queue {self.name}"):
            self._sqs.delete_message(QueueUrl=self._url(), ReceiptHandle=receipt)

    def _send(self, bodies: Sequence[str]) -> int:
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        for _ in range(3):
            answer = self._sqs.send_message_batch(QueueUrl=self._url(), Entries=entries)
            again = {failure["Id"] for failure in answer.get("Failed", [])}
            entries = [entry for entry in entries if entry["Id"] in again]
            if not entries:
                break
        return len(entries)

    def _url(self) -> str:
        if self._known_url is None:
            self._known_url = self._sqs.get_queue_url(QueueName=self.name)["QueueUrl"]
        return self._known_url


def too_large(size_bytes: int, max_bytes: int) -> PayloadTooLarge:
    """The refusal of an object by its size."""
    return PayloadTooLarge(f"the object has {size_bytes} bytes: at most {max_bytes} are read")


def json_lines(rows: Iterable[Any]) -> Iterator[bytes]:
    """Each row as a line of JSON."""
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
