"""Makes AWS clients and translates their errors. boto3 is imported at the first use, never with `app`.

Every error becomes one of four: the object does not exist (ObjectGone), AWS denies access to it (ObjectForbidden), it
is in another region (InvalidRequest), or the call may succeed later (StorageError).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from chalicelib.config import AwsAccess, aws_endpoint
from chalicelib.errors import InvalidRequest, ObjectForbidden, ObjectGone, StorageError

READ_TIMEOUT_S = 5
"""For the next bytes of an answer. All four tries of a call, and the waits between them, end within 30 s."""
_GONE = {"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404"}
_DENIED = {"AccessDenied", "AllAccessDisabled", "403"}
_LOCKED = {"InvalidObjectState", "InvalidRequest", "KMS.DisabledException", "KMS.NotFoundException"}
"""The object is archived, or encrypted with a key that the caller must send (SSE-C), or that is disabled or deleted."""
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
_REMEDIES = {
    "NoRegionError": "set a region: AWS_DEFAULT_REGION, or `aws configure`",
    "NoCredentialsError": "set credentials: `aws configure`, or AWS_PROFILE",
    "ProfileNotFound": "AWS_PROFILE is not configured: `aws configure list-profiles` shows the profiles",
    "EndpointConnectionError": "no connection to AWS: check the network and the region",
    "ExpiredToken": "the credentials have expired: sign in again",
    "ExpiredTokenException": "the credentials have expired: sign in again",
    "UnrecognizedClientException": "AWS does not know these credentials: check `aws configure`, or AWS_PROFILE",
    "InvalidClientTokenId": "AWS does not know these credentials: check `aws configure`, or AWS_PROFILE",
    "ResourceNotFoundException": "is the stage deployed, in this region?",
    "AWS.SimpleQueueService.NonExistentQueue": "is the stage deployed, in this region?",
}
"""For readers of the log and of the command line; the API never sends these to a client."""


def client(service: str, read_timeout_s: float = READ_TIMEOUT_S, *, for_others: bool = False) -> Any:
    """A boto3 client that retries temporary errors; raises StorageError if no region is set.

    `for_others`: a client of S3 whose URLs others will use. It names the bucket's region, for S3 redirects what is
    sent elsewhere, and signs with version 4, which every region takes. boto3 does neither by default.
    """
    import boto3
    from botocore.config import Config

    signing: dict[str, Any] = {"signature_version": "s3v4", "s3": {"addressing_style": "virtual"}} if for_others else {}
    options = Config(
        connect_timeout=3,
        read_timeout=read_timeout_s,
        max_pool_connections=32,
        retries={"mode": "standard", "total_max_attempts": 4},
        **signing,
    )
    with translated(service):
        made = boto3.client(service, config=options)
    made.meta.events.register("before-parse", _check_length)
    return made


def access_of_boto3() -> AwsAccess:
    """Keys and region from wherever boto3 finds them, such as a profile; raises StorageError if it finds none."""
    import boto3
    from botocore.exceptions import NoCredentialsError, NoRegionError

    with translated("the credentials"):
        session = boto3.Session()
        found = session.get_credentials()
        if found is None:
            raise NoCredentialsError
        if session.region_name is None:
            raise NoRegionError
        keys = found.get_frozen_credentials()
    return AwsAccess(keys.access_key, keys.secret_key, keys.token, session.region_name, aws_endpoint())


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn botocore's exceptions into this project's errors; `what` begins the message."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ClientError as error:
        raise _error_for(what, error.response.get("Error", {})) from error
    except (BotoCoreError, HTTPClientError, ResponseParserError, HTTPError, OSError) as error:
        # no connection, a time-out, a body that is incomplete or altered (by its checksum, or for TLS)
        raise _to_try_again(what, type(error).__name__) from error


def _check_length(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Refuse an answer that was cut off.

    botocore compares the length of an object's body alone. A listing that is cut off before its first byte would be an
    empty listing, and the answer of SQS that is cut off one in which no message was refused.
    """
    from botocore.exceptions import IncompleteReadError

    body, length = response_dict["body"], response_dict["headers"].get("content-length")
    if isinstance(body, bytes) and length is not None and len(body) != int(length):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(length))


def _error_for(what: str, error: Any) -> Exception:
    code = str(error.get("Code"))
    if code in _GONE:
        return ObjectGone(f"{what} is not there ({code})")
    if code in _DENIED and what.startswith("s3://"):
        return ObjectForbidden(
            f"{what}: access denied ({code}): this stage's IAM policies allow only its account's buckets named "
            "slimception-<stage>-<account>-*"
        )
    if code in _DENIED:
        return ObjectForbidden(f"{what}: access denied ({code}): these credentials' IAM policies do not allow the call")
    if code in _LOCKED:
        return ObjectForbidden(
            f"{what} is archived or encrypted ({code}): restore it, or allow this stage to use its key"
        )
    if code in _ELSEWHERE:
        return InvalidRequest(f"{what} is in another AWS region ({code}): deploy a stage in that region")
    return _to_try_again(what, code)


def _to_try_again(what: str, code: str) -> StorageError:
    remedy = f" ({_REMEDIES[code]})" if code in _REMEDIES else ""
    return StorageError(f"{what}: {code}{remedy}")
