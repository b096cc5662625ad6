"""Lists a batch's keys page by page, and writes the files when every key has its result.

The table, not a message, holds the last key listed. If a lister is killed, repeated or run twice at once, a page's
keys may be queued again, which is harmless; they are counted once.
"""

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.aws.events import PictureRef, is_folder
from chalicelib.aws.s3 import Listed, Objects
from chalicelib.aws.sqs import Queue
from chalicelib.batch.days import Days
from chalicelib.batch.messages import list_message, read_message
from chalicelib.batch.record import LISTING, Batch
from chalicelib.batch.results import write_files
from chalicelib.batch.table import Table
from chalicelib.errors import ClientError, ObjectGone, UnknownBatch
from chalicelib.statuses import refusal
from chalicelib.telemetry import log

PAGE = 100
"""Keys in a page. S3 gives up to 1,000, but with fewer a killed lister leaves less to queue again."""
MARGIN_MS = 15_000
"""With less time left than this, the lister leaves the rest to another invocation. A page takes less than a second."""


class Lister:
    """Answers the messages of the listing queue, one at a time."""

    def __init__(
        self,
        objects: Objects,
        table: Table,
        pictures: Queue,
        listings: Queue,
        page: int = PAGE,
        margin_ms: float = MARGIN_MS,
    ) -> None:
        self._objects, self._table, self._pictures, self._listings = objects, table, pictures, listings
        self._page, self._margin_ms = page, margin_ms
        self._days = Days(objects, table, pictures)

    def work(self, event: Mapping[str, Any], remaining_ms: Callable[[], float]) -> None:
        """Do what each message asks for. If this raises, the messages come again."""
        for record in event["Records"]:
            message = read_message(record["body"])
            if message.do == "close":
                self._days.close(remaining_ms, self._margin_ms)
                continue
            if message.do == "list":
                self.list(message.batch_id, remaining_ms)
            self.finish(message.batch_id)

    def list(self, batch_id: str, remaining_ms: Callable[[], float]) -> None:
        """Queue the keys that are not queued yet, at least one page of them; raises UnknownBatch and StorageError."""
        while (batch := self._find(batch_id)).state == LISTING:
            try:
                self._list_page(batch)
            except ClientError as error:
                self._give_up(batch, error)
            if remaining_ms() < self._margin_ms:
                self._listings.send([list_message(batch_id)])
                return

    def finish(self, batch_id: str) -> None:
        """Write the files if every key has its result. Doing this twice writes the same files.

        Raises UnknownBatch and StorageError.
        """
        batch = self._find(batch_id)
        if not batch.answered:
            return
        try:
            write_files(self._objects, self._table, batch)
        except ClientError as error:  # access denied or no such bucket: trying again would not help
            self._give_up(batch, error)
        else:
            self._table.complete(batch)
            log("batch_complete", batch=batch_id, done=batch.done, failed=batch.failed)

    def _list_page(self, batch: Batch) -> None:
        found = self._objects.page(batch.bucket, batch.prefix, batch.last_key, self._page)
        pictures = [_ref(batch, listed) for listed in found if not is_folder(listed.key, listed.size_bytes)]
        last = len(found) < self._page
        if last and not batch.total + len(pictures):
            raise ObjectGone(f"no object is under s3://{batch.bucket}/{batch.prefix}")
        self._pictures.send([ref.to_message() for ref in pictures])
        # only after sending: if the lister is killed in between, the page is queued twice; otherwise it might never be
        self._table.advance(batch, found[-1].key if found else batch.last_key, len(pictures), last=last)

    def _give_up(self, batch: Batch, error: ClientError) -> None:
        self._table.fail(batch, refusal(error)["error"])
        log("batch_failed", batch=batch.id, error=str(error))

    def _find(self, batch_id: str) -> Batch:
        batch = self._table.get(batch_id)
        if batch is None:
            raise UnknownBatch(
                f"no batch is called {batch_id!r}: the message belongs to another stage or is 30 days old"
            )
        return batch


def _ref(batch: Batch, listed: Listed) -> PictureRef:
    return PictureRef(batch.bucket, listed.key, listed.size_bytes, batch=batch.id, model=batch.model, top_k=batch.top_k)
