"""Which buckets a stage may use. Names of buckets are global, so a name alone says nothing about the owner.

Two more things hold the same rule: each call of S3 names the owner that it expects, and each policy of a function has
the Condition `aws:ResourceAccount`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from chalicelib.config import Settings
from chalicelib.errors import ConfigError, ObjectForbidden


class Buckets(NamedTuple):
    """The buckets of one stage: all of `account`, and named `<prefix>-<account>-...` or as one of `others`."""

    account: str
    """The id of the AWS account, 12 digits: the ExpectedBucketOwner of each call."""
    prefix: str
    """`slimception-<stage>`."""
    others: tuple[str, ...] = ()
    region: str | None = None
    """Of the stage; None outside Lambda."""

    @property
    def home(self) -> str | None:
        """The bucket that the stage makes for itself (.chalice/resources.json); None if the region is not known."""
        return f"{self.prefix}-{self.account}-{self.region}" if self.region else None

    def check(self, bucket: str) -> None:
        """Raise ObjectForbidden if the stage may not use the bucket; the message does not show the account."""
        if not bucket.startswith(f"{self.prefix}-{self.account}-") and bucket not in self.others:
            raise ObjectForbidden(
                f"s3://{bucket[:63]} is not a bucket of this stage: expected one of its account whose name "
                f"begins with {self.prefix}-<account>-, or one that BATCH_BUCKETS names"
            )


def own_buckets(settings: Settings, function_arn: str | None, client: Callable[[str], Any]) -> Buckets:
    """The buckets of the stage to which a function belongs; raises ConfigError if BATCH_PREFIX is not set.

    `function_arn` has the account's id. Without one, as on a user's machine, STS says whose credentials are used.
    """
    if not settings.batch_prefix:
        raise ConfigError(
            "BATCH_PREFIX is not set: it begins the names of the stage's buckets, such as slimception-dev"
        )
    region = function_arn.split(":")[3] if function_arn else None
    return Buckets(_account(function_arn, client), settings.batch_prefix, settings.batch_buckets, region)


def _account(function_arn: str | None, client: Callable[[str], Any]) -> str:
    """The fifth part of an ARN (AWS General Reference, "Amazon Resource Names"), or the credentials' account."""
    if function_arn:
        return function_arn.split(":")[4]
    from chalicelib.aws.clients import translated

    with translated("the account of these credentials"):
        return str(client("sts").get_caller_identity()["Account"])
