"""Clients of AWS, and what their failures become. boto3 is imported at the first use, never with `app`.

Every failure becomes one of three: the object is not there (ObjectGone), S3 forbids it (ObjectForbidden), or it may
go well another time (StorageError).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.errors import InvalidRequest, ObjectForbidden, ObjectGone, StorageError

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
