"""The batch's functions over any S3, queues and table, and the deliveries of Lambda and SQS between them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from chalicelib.batch.listing import Lister
from chalicelib.batch.service import Service
from chalicelib.batch.worker import Worker
from chalicelib.errors import StorageError
from tests.support.buckets import STAGE

TRIES = 5
"""Deliveries of a message, as in .chalice/resources.json."""
Messages = list[dict[str, Any]]


class BatchFunctions:
    """Service, lister and worker.

    `queues` has "listings" and "pictures". `receive` takes some messages off the queue of a name, as boto3 gives them.
    """

    def __init__(
        self,
        objects: Any,
        table: Any,
        queues: Mapping[str, Any],
        store: Any,
        receive: Callable[[str], Messages],
        page: int = 100,
    ) -> None:
        self.objects, self.table, self._receive = objects, table, receive
        pictures, listings = queues["pictures"], queues["listings"]
        self.service = Service(table, listings, STAGE)
        self._lister = Lister(objects, table, pictures, listings, page)
        self._worker = Worker(store, objects, table, pictures, listings, 32 * 1024 * 1024)

    def run(self, apart: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """Deliver messages until none is left. What fails comes again, and at most TRIES times.

        `apart` surrounds the calls that Lambda makes, not the functions.
        """
        while True:
            with apart():
                received = {name: self._receive(name) for name in ("listings", "pictures")}
            if not any(received.values()):
                return
            for name, messages in received.items():
                records = [
                    {"messageId": m["MessageId"], "receiptHandle": m["ReceiptHandle"], "body": m["Body"]}
                    for m in messages
                ]
                for receives in range(1, TRIES + 1):
                    records = self._delivered(name, records, receives) if records else []
                assert not records, f"dead letters: {records}"

    def _delivered(self, name: str, records: Messages, receives: int) -> Messages:
        """Those that are to come again."""
        event = {"Records": [{**r, "attributes": {"ApproximateReceiveCount": str(receives)}} for r in records]}
        try:
            if name == "listings":
                self._lister.work(event, lambda: 60_000.0)
                return []
            answer = self._worker.work(event, lambda: 60_000.0)
        except StorageError:
            return records
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        return [record for record in records if record["messageId"] in failed]
