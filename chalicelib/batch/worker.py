"""Turns SQS messages into results.

A permanent error is stored as the picture's result; a temporary one returns the message to the queue. If the model
fails on a picture, its message comes again, too, but after its last delivery that is the picture's result: otherwise
one picture would keep its batch from completing. New messages are answered together. A retry, a message that is
delivered again, is processed first, alone, and deleted at once, so that a picture that crashes the process cannot push
its neighbours into the dead-letter queue.
"""

import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from chalicelib.aws import events
from chalicelib.aws.events import PictureRef
from chalicelib.aws.s3 import Fetched, Objects, too_large
from chalicelib.aws.sqs import Queue
from chalicelib.batch.messages import finish_message
from chalicelib.batch.record import Result, open_batch
from chalicelib.batch.table import Table
from chalicelib.errors import StorageError
from chalicelib.inference.answer import Answer, PictureFailed, answer, given_up
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import log, milliseconds_since

READERS = 4
"""Pictures fetched at once, while others are classified."""
MARGIN_MS = 3_000
"""With less time left than this the worker begins no further picture, because storing the results takes some."""

SqsRecord = Mapping[str, Any]


class Retry(NamedTuple):
    """A message cannot be answered now and must come again."""

    reason: str


ToRetry = dict[str, Retry]
"""By message id."""


class _Job(NamedTuple):
    """One picture of a message, whose bytes are being fetched."""

    message_id: str
    receives: int
    """How often its message was delivered."""
    ref: PictureRef
    fetched: "Future[Fetched]"


class _Answered(NamedTuple):
    """A picture's result that is not stored yet."""

    message_id: str
    batch_id: str
    result: Result


class Worker:
    """Answers the messages of the picture queue. One for each process, so that the model is loaded once."""

    def __init__(
        self,
        store: ModelStore,
        objects: Objects,
        table: Table,
        pictures: Queue,
        listings: Queue,
        max_object_bytes: int,
        home: str | None = None,
    ) -> None:
        """`home` is the stage's own bucket, which gets the files of the days; None: that of a day's first picture."""
        self._store, self._objects, self._table = store, objects, table
        self._pictures, self._listings = pictures, listings
        self._max_object_bytes, self._home = max_object_bytes, home
        self._opened: set[str] = set()

    def work(self, event: Mapping[str, Any], remaining_ms: Callable[[], float]) -> dict[str, Any]:
        """Answer an SQS event; returns the messages to retry, in Lambda's form (`ReportBatchItemFailures`)."""
        to_retry: ToRetry = {}
        retries, new = _split(event["Records"])
        for record in retries:
            unanswered = self._answer([record], remaining_ms)
            if not unanswered:
                self._delete(record)
            to_retry |= unanswered
        to_retry |= self._answer(new, remaining_ms)
        for message_id, retry in to_retry.items():
            log("message_returned", message_id=message_id, reason=retry.reason)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in to_retry]}

    def _answer(self, records: Sequence[SqsRecord], remaining_ms: Callable[[], float]) -> ToRetry:
        """Classify the pictures that some messages name and store the results; returns the messages to retry."""
        answered: list[_Answered] = []
        with ThreadPoolExecutor(READERS) as readers:
            jobs, to_retry = self._jobs(records, readers)
            for job in jobs:
                if job.message_id in to_retry:
                    continue
                outcome = self._attempt(job) if remaining_ms() >= MARGIN_MS else _out_of_time(job)
                if isinstance(outcome, Retry):
                    to_retry[job.message_id] = outcome
                else:
                    answered.append(outcome)
        return to_retry | self._store_results(answered)

    def _delete(self, record: SqsRecord) -> None:
        """Lambda deletes answered messages only at the end. If deleting fails here, that does no harm."""
        with suppress(StorageError):
            self._pictures.delete(record["receiptHandle"])

    def _jobs(self, records: Sequence[SqsRecord], readers: ThreadPoolExecutor) -> tuple[list[_Job], ToRetry]:
        """The pictures of all messages that can be read, and the other messages."""
        jobs: list[_Job] = []
        to_retry: ToRetry = {}
        for record in records:
            message_id = record["messageId"]
            try:
                refs = events.read(record["body"])
            except Exception as error:  # no try will succeed: after three the message is a dead letter
                to_retry[message_id] = Retry(str(error))
                continue
            jobs += [_Job(message_id, _receives(record), ref, readers.submit(self._fetch, ref)) for ref in refs]
        return jobs, to_retry

    def _fetch(self, ref: PictureRef) -> Fetched:
        if ref.size_bytes is not None and ref.size_bytes > self._max_object_bytes:
            raise too_large(ref.size_bytes, self._max_object_bytes)
        return self._objects.fetch(ref.bucket, ref.key, self._max_object_bytes)

    def _attempt(self, job: _Job) -> _Answered | Retry:
        began = time.perf_counter()
        try:
            found = self._answer_of(job)
            batch_id = job.ref.batch or self._open_batch(job.ref)
        except Exception as error:
            log("picture_failed", key=job.ref.key, error=str(error), traceback=traceback.format_exc())
            return Retry(f"{type(error).__name__}: {error}")
        key, etag = (job.ref.key, None) if job.ref.batch else (self._name(job.ref), job.ref.etag or _etag_of(job))
        return _Answered(job.message_id, batch_id, Result(key, found, etag, milliseconds_since(began)))

    def _name(self, ref: PictureRef) -> str:
        """What a day calls a picture: its key, or its whole address if it is in another bucket than the stage's own."""
        return ref.key if ref.bucket == (self._home or ref.bucket) else f"s3://{ref.bucket}/{ref.key}"

    def _answer_of(self, job: _Job) -> Answer:
        """The picture's answer; raises what another try may mend."""
        try:
            return answer(self._store, lambda: job.fetched.result().data, job.ref.model, job.ref.top_k)
        except PictureFailed as error:
            tries = self._pictures.max_receives()
            if job.receives < tries:
                raise
            log("picture_given_up", key=job.ref.key, error=str(error), traceback=traceback.format_exc())
            return given_up(tries)

    def _open_batch(self, ref: PictureRef) -> str:
        """The batch of the day on which the picture was uploaded, or named to a trigger; the first one opens it."""
        batch = open_batch((ref.time or datetime.now(UTC).isoformat())[:10], self._home or ref.bucket)
        if batch.id not in self._opened:
            self._table.create(batch)
            self._opened.add(batch.id)
        return batch.id

    def _store_results(self, answered: Sequence[_Answered]) -> ToRetry:
        """Store the results batch by batch; returns the messages of those that could not be stored."""
        by_batch: dict[str, list[_Answered]] = defaultdict(list)
        for one in answered:
            by_batch[one.batch_id].append(one)
        to_retry: ToRetry = {}
        for batch_id, of_batch in by_batch.items():
            retry = self._store_batch(batch_id, [one.result for one in of_batch])
            if retry:
                to_retry |= {one.message_id: retry for one in of_batch}
        return to_retry

    def _store_batch(self, batch_id: str, results: Sequence[Result]) -> Retry | None:
        try:
            new = self._table.record(batch_id, results)
            log("pictures", batch=batch_id, results=len(results), new=new, **self._store.first_answer())
            batch = self._table.get(batch_id)
            if batch is not None and batch.answered:
                self._listings.send([finish_message(batch_id)])
        except Exception as error:
            log("results_not_stored", batch=batch_id, error=str(error), traceback=traceback.format_exc())
            return Retry(f"{type(error).__name__}: {error}")
        return None


def _etag_of(job: _Job) -> str | None:
    """Of the object as it was read, so that a picture that is named twice, without its ETag, has one result."""
    return job.fetched.result().etag if job.fetched.exception() is None else None


def _out_of_time(job: _Job) -> Retry:
    job.fetched.cancel()
    return Retry("no time left")


def _split(records: Sequence[SqsRecord]) -> tuple[list[SqsRecord], list[SqsRecord]]:
    """Retries and new messages.

    Retries are taken in turns from both ends: a message behind one that crashes the process is processed, too.
    """
    retries: list[SqsRecord] = []
    new: list[SqsRecord] = []
    for record in records:
        (retries if _receives(record) > 1 else new).append(record)
    retries.sort(key=lambda record: record["messageId"])
    return retries[::-1] if retries and _receives(retries[0]) % 2 else retries, new


def _receives(record: SqsRecord) -> int:
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
