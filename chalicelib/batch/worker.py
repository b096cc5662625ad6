"""SQS messages to results. What can never succeed is a result, what may succeed later goes back to the queue.

New messages are answered together. One that comes again goes first, alone, and is deleted at once: whatever ended its
last worker, a picture that ends processes too, then takes no other one along into the dead-letter queue.
"""

import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from chalicelib.aws import events
from chalicelib.aws.events import ImageRef
from chalicelib.aws.s3 import Objects, too_large
from chalicelib.aws.sqs import Queue
from chalicelib.batch.messages import finish_message
from chalicelib.batch.record import Result, open_batch
from chalicelib.batch.table import Table
from chalicelib.errors import StorageError
from chalicelib.inference.answer import answer
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import log, milliseconds_since

READERS = 4
"""Pictures fetched at once, while others are classified."""
MARGIN_MS = 3_000
"""With less time left than this no further picture is begun: storing the results takes some."""

Event = Mapping[str, Any]


class _Job(NamedTuple):
    message_id: str
    ref: ImageRef
    data: "Future[bytes]"


class Worker:
    """Answers the messages of the picture queue. One for each process: the model is loaded once."""

    def __init__(
        self,
        store: ModelStore,
        objects: Objects,
        table: Table,
        pictures: Queue,
        listings: Queue,
        max_object_bytes: int,
    ) -> None:
        self._store, self._objects, self._table = store, objects, table
        self._pictures, self._listings = pictures, listings
        self._max_object_bytes = max_object_bytes
        self._opened: set[str] = set()

    def work(self, event: Event, remaining_ms: Callable[[], float]) -> dict[str, Any]:
        """The messages that are to come again, as Lambda wants them said (`ReportBatchItemFailures`)."""
        failed: dict[str, str] = {}
        for record in _again(event["Records"]):
            self._answer([record], failed, remaining_ms)
            self._delete(record, failed)
        self._answer([record for record in event["Records"] if _receives(record) < 2], failed, remaining_ms)
        for message_id, reason in failed.items():
            log("message_returned", message_id=message_id, reason=reason)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    def _answer(self, records: list[Event], failed: dict[str, str], remaining_ms: Callable[[], float]) -> None:
        """Classify what some messages name, and store the results."""
        results: dict[str, list[tuple[str, Result]]] = defaultdict(list)
        with ThreadPoolExecutor(READERS) as readers:
            for job in self._jobs(records, readers, failed):
                if job.message_id not in failed:
                    self._attempt(job, results, failed, remaining_ms)
        for batch_id, found in results.items():
            self._store_results(batch_id, found, failed)

    def _delete(self, record: Event, failed: Mapping[str, str]) -> None:
        """Lambda deletes what was answered, but only at the end. That this fails does no harm."""
        if record["messageId"] not in failed:
            with suppress(StorageError):
                self._pictures.delete(record["receiptHandle"])

    def _jobs(self, records: list[Event], readers: ThreadPoolExecutor, failed: dict[str, str]) -> list[_Job]:
        jobs = []
        for record in records:
            try:
                refs = events.read(record["body"])
            except Exception as error:  # nobody will ever understand it: three tries, then the dead-letter queue
                failed[record["messageId"]] = str(error)
                continue
            jobs += [_Job(record["messageId"], ref, readers.submit(self._read, ref)) for ref in refs]
        return jobs

    def _read(self, ref: ImageRef) -> bytes:
        if ref.size_bytes is not None and ref.size_bytes > self._max_object_bytes:
            raise too_large(ref.size_bytes, self._max_object_bytes)
        return self._objects.read(ref.bucket, ref.key, self._max_object_bytes)

    def _attempt(
        self,
        job: _Job,
        results: dict[str, list[tuple[str, Result]]],
        failed: dict[str, str],
        remaining_ms: Callable[[], float],
    ) -> None:
        began = time.perf_counter()
        if remaining_ms() < MARGIN_MS:
            job.data.cancel()
            failed[job.message_id] = "no time left"
            return
        try:
            found = answer(self._store, job.data.result, job.ref.model, job.ref.top_k)
            batch_id = job.ref.batch or self._open_batch(job.ref)
        except Exception as error:
            failed[job.message_id] = f"{type(error).__name__}: {error}"
            log("picture_failed", key=job.ref.key, error=str(error), traceback=traceback.format_exc())
            return
        result = Result(job.ref.key, found, None if job.ref.batch else job.ref.etag, milliseconds_since(began))
        results[batch_id].append((job.message_id, result))

    def _open_batch(self, ref: ImageRef) -> str:
        """The batch of the day on which the picture was dropped under `incoming/`, which begins with its first one."""
        batch = open_batch((ref.time or datetime.now(UTC).isoformat())[:10], ref.bucket)
        if batch.id not in self._opened:
            self._table.create(batch)
            self._opened.add(batch.id)
        return batch.id

    def _store_results(self, batch_id: str, found: list[tuple[str, Result]], failed: dict[str, str]) -> None:
        try:
            new = self._table.record(batch_id, [result for _, result in found])
            log("pictures", batch=batch_id, results=len(found), new=new)
            batch = self._table.get(batch_id)
            if batch is not None and batch.answered:
                self._listings.send([finish_message(batch_id)])
        except Exception as error:
            failed |= {message_id: f"{type(error).__name__}: {error}" for message_id, _ in found}
            log("results_not_stored", batch=batch_id, error=str(error), traceback=traceback.format_exc())


def _again(records: list[Event]) -> list[Event]:
    """Those that come again, in turns from both ends: what stood behind one that ends its process is not left out."""
    again = sorted((record for record in records if _receives(record) > 1), key=lambda record: record["messageId"])
    return again[::-1] if again and _receives(again[0]) % 2 else again


def _receives(record: Event) -> int:
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
