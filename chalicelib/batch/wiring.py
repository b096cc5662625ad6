"""The batch's parts for one stage, each made at its first use, so that importing the app costs none of this."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib.config import Settings
from chalicelib.errors import UnknownBatch
from chalicelib.inference.store import ModelStore

if TYPE_CHECKING:
    from chalicelib.aws.s3 import Objects
    from chalicelib.aws.sqs import Queue
    from chalicelib.batch.listing import Lister
    from chalicelib.batch.service import Service
    from chalicelib.batch.table import Table
    from chalicelib.batch.worker import Worker

PICTURES, LISTINGS, DEAD_LETTERS, TABLE = "pictures", "listings", "dead-letters", "batches"
"""What follows the stage's prefix in the names of queues and table."""


class BatchServices:
    """`BATCH_PREFIX` names them: `slimception-dev-pictures`, and so on."""

    def __init__(self, settings: Settings, store: ModelStore) -> None:
        self._settings, self._store = settings, store

    @cached_property
    def service(self) -> "Service":
        """Starts batches and tells of them."""
        from chalicelib.batch.service import Service

        return Service(self.table, self.queue(LISTINGS))

    @cached_property
    def worker(self) -> "Worker":
        """Classifies."""
        from chalicelib.batch.worker import Worker

        queues = self.queue(PICTURES), self.queue(LISTINGS)
        return Worker(self._store, self.objects, self.table, *queues, self._settings.max_object_bytes)

    @cached_property
    def lister(self) -> "Lister":
        """Lists keys, and writes files in the end."""
        from chalicelib.batch.listing import Lister

        return Lister(self.objects, self.table, self.queue(PICTURES), self.queue(LISTINGS))

    @cached_property
    def table(self) -> "Table":
        """Batches and results."""
        from chalicelib.batch.table import Table

        return Table(self._client("dynamodb"), self._name(TABLE))

    @cached_property
    def objects(self) -> "Objects":
        """S3."""
        from chalicelib.aws.s3 import Objects

        return Objects(self._client("s3"))

    def queue(self, what: str) -> "Queue":
        """One of the queues."""
        from chalicelib.aws.sqs import Queue

        return Queue(self._client("sqs"), self._name(what))

    def _name(self, what: str) -> str:
        if not self._settings.batch_prefix:
            raise UnknownBatch(
                "this installation takes no batches: it has no BATCH_PREFIX, which names queues and table"
            )
        return f"{self._settings.batch_prefix}-{what}"

    def _client(self, service: str) -> Any:
        from chalicelib.aws.clients import client

        return client(service)
