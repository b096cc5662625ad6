"""Makes AWS clients and translates their errors. boto3 is imported at the first use, never with `app`.

Every error becomes one of four: the object does not exist (ObjectGone), AWS denies access to it (ObjectForbidden), it
is in another region (InvalidRequest), or the call may succeed later (StorageError).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.errors import InvalidRequest, ObjectForbidden, ObjectGone, StorageError

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


def client(service: str) -> Any:
    """A boto3 client that retries temporary errors; raises StorageError if no region is set."""
    import boto3
    from botocore.config import Config

    options = Config(
        connect_timeout=3, read_timeout=20, max_pool_connections=32, retries={"mode": "standard", "max_attempts": 4}
    )
    with translated(service):
        return boto3.client(service, config=options)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn botocore's exceptions into this project's errors; `what` begins the message."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        yield
    except ClientError as error:
        raise _error_for(what, error.response.get("Error", {})) from error
    except (BotoCoreError, HTTPClientError, OSError) as error:  # no connection, a time-out, an incomplete body
        raise _to_try_again(what, type(error).__name__) from error


def _error_for(what: str, error: Any) -> Exception:
    code = str(error.get("Code"))
    if code in _GONE:
        return ObjectGone(f"{what} is not there ({code})")
    if code in _DENIED and what.startswith("s3://"):
        return ObjectForbidden(
            f"{what}: access denied ({code}): this stage's IAM policies allow only buckets named slimception-<stage>-*"
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
