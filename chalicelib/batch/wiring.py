"""Makes the batch's objects for one stage, each at its first use, so that importing the app costs none of this."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib.config import Settings
from chalicelib.errors import UnknownBatch
from chalicelib.inference.store import ModelStore

if TYPE_CHECKING:
    from chalicelib.aws.buckets import Buckets
    from chalicelib.aws.s3 import Objects
    from chalicelib.aws.sqs import Queue
    from chalicelib.batch.intake import Intake
    from chalicelib.batch.listing import Lister
    from chalicelib.batch.service import Service
    from chalicelib.batch.table import Table
    from chalicelib.batch.worker import Worker

PICTURES, LISTINGS, DEAD_LETTERS, TABLE = "pictures", "listings", "dead-letters", "batches"
"""Names of queues and table, without the stage's prefix."""


class BatchServices:
    """Queues and table are those of `BATCH_PREFIX`: `slimception-dev-pictures`, and so on.

    `client` makes a boto3 client of a service's name. Every member raises UnknownBatch if there is no prefix, and
    StorageError if no client can be made.
    """

    function_arn: str | None = None
    """Of the function that this process runs, which has the account's id; None outside Lambda."""

    def __init__(self, settings: Settings, store: ModelStore, client: Callable[..., Any] | None = None) -> None:
        self._settings, self._store, self._client = settings, store, client or _client

    @cached_property
    def service(self) -> "Service":
        """Starts batches and describes them."""
        from chalicelib.batch.service import Service

        open_to_all = self._settings.batches == "open"
        return Service(self.table, self.queue(LISTINGS), self.buckets, open_to_all=open_to_all)

    @cached_property
    def worker(self) -> "Worker":
        """Classifies the pictures of the picture queue's messages."""
        from chalicelib.batch.worker import Worker

        queues = self.queue(PICTURES), self.queue(LISTINGS)
        most, home = self._settings.max_object_bytes, self.buckets.home
        return Worker(self._store, self.objects, self.table, *queues, most, home)

    @cached_property
    def lister(self) -> "Lister":
        """Queues a batch's keys, and writes its files when it is complete."""
        from chalicelib.batch.listing import Lister

        return Lister(self.objects, self.table, self.queue(PICTURES), self.queue(LISTINGS))

    @cached_property
    def intake(self) -> "Intake":
        """Takes the events of triggers and queues the pictures that they name."""
        from chalicelib.batch.intake import Intake

        return Intake(self.queue(PICTURES), self.queue(DEAD_LETTERS), self.service, self.buckets.home)

    @cached_property
    def table(self) -> "Table":
        """Batches, counts and results in DynamoDB."""
        from chalicelib.batch.table import Table

        return Table(self._client("dynamodb"), self._name(TABLE))

    @cached_property
    def objects(self) -> "Objects":
        """S3: pictures and files."""
        from chalicelib.aws.s3 import Objects

        return Objects(self._client("s3"), self.buckets)

    @cached_property
    def presigning(self) -> Any:
        """A client of S3 that signs URLs for others."""
        return self._client("s3", for_others=True)

    @property
    def bucket(self) -> str:
        """The stage's own bucket: its name, in .chalice/resources.json, has the account and region of the ARN."""
        _, _, _, region, account, *_ = (self.function_arn or "").split(":") + [""] * 4
        return f"{self._settings.batch_prefix}-{account}-{region}"

    @property
    def upload_origin(self) -> str | None:
        """Where a browser sends the form of POST /uploads; None: there is no bucket for it."""
        if not (self._settings.in_lambda and self._settings.batch_prefix and self.function_arn):
            return None
        from chalicelib.aws.origins import bucket_origin

        return bucket_origin(self.bucket, self.function_arn, self._settings.s3_endpoint)

    @cached_property
    def buckets(self) -> "Buckets":
        """The buckets that this stage may use."""
        from chalicelib.aws.buckets import own_buckets

        return own_buckets(self._settings, self.function_arn, self._client)

    def queue(self, what: str) -> "Queue":
        """A queue: PICTURES, LISTINGS or DEAD_LETTERS."""
        from chalicelib.aws.sqs import Queue

        return Queue(self._client("sqs"), self._name(what))

    def _name(self, what: str) -> str:
        if not self._settings.batch_prefix:
            raise UnknownBatch("batches are not available: BATCH_PREFIX is not set; it names queues and table")
        return f"{self._settings.batch_prefix}-{what}"


def _client(service: str, **options: bool) -> Any:
    from chalicelib.aws.clients import client

    return client(service, **options)
