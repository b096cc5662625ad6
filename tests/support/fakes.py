"""S3, SQS and DynamoDB as dicts and lists, with the methods of the true classes. The same tests run over both."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from chalicelib.aws.s3 import Fetched, Listed, too_large
from chalicelib.batch.record import COMPLETE, FAILED, LISTING, RUNNING, Batch, BatchState, Result
from chalicelib.errors import ObjectGone, StorageError


class FakeTable:
    def __init__(self) -> None:
        self.batches: dict[str, Batch] = {}
        self.kept: dict[str, dict[str, Result]] = {}
        self.claimed: set[str] = set()
        self._lock = threading.Lock()

    def create(self, batch: Batch) -> bool:
        return self.batches.setdefault(batch.id, batch) is batch

    def get(self, batch_id: str) -> Batch | None:
        batch, kept = self.batches.get(batch_id), self.kept.get(batch_id, {}).values()
        updated = time.time() if kept else None
        return batch and replace(batch, done=len(kept), failed=sum(r.failed for r in kept), updated=updated)

    def advance(self, batch: Batch, last_key: str, added: int, *, last: bool) -> bool:
        now = self.batches[batch.id]
        if (now.page, now.state) != (batch.page, LISTING):
            return False
        state: BatchState = RUNNING if last else LISTING
        self.batches[batch.id] = replace(
            now, page=now.page + 1, last_key=last_key, total=now.total + added, state=state
        )
        return True

    def complete(self, batch: Batch) -> bool:
        return self._end(batch, RUNNING, COMPLETE, None)

    def fail(self, batch: Batch, error: Any) -> bool:
        return self._end(batch, batch.state, FAILED, error)

    def claim(self, batch_id: str) -> bool:
        free = batch_id in self.batches and batch_id not in self.claimed
        return free and not self.claimed.add(batch_id)

    def close_day(self, batch: Batch) -> bool:
        now = self.batches[batch.id]
        self.claimed.discard(batch.id)
        self.batches[batch.id] = replace(now, state=COMPLETE, total=batch.done, finished=time.time())
        return True

    def record(self, batch_id: str, results: Sequence[Result]) -> int:
        with self._lock:
            kept = self.kept.setdefault(batch_id, {})
            new = {r.identity: r for r in results if r.identity not in kept}
            kept.update(new)
            return len(new)

    def results(self, batch_id: str) -> Iterator[Result]:
        kept = self.kept.get(batch_id, {})
        return iter([kept[name] for name in sorted(kept, key=str.encode)])

    def _end(self, batch: Batch, before: BatchState, after: BatchState, error: Any) -> bool:
        now = self.batches[batch.id]
        if now.state != before:
            return False
        self.batches[batch.id] = replace(now, state=after, error=error, finished=time.time())
        return True


class FakeObjects:
    """Every bucket has the same objects, `kept`.

    `failures` maps a key, or a bucket for a listing, to what a call raises: an exception at each call, or a list of
    exceptions, one at each call until none is left.
    """

    def __init__(self, kept: dict[str, bytes] | None = None) -> None:
        self.kept = kept or {}
        self.failures: dict[str, BaseException | list[BaseException]] = {}
        self.reads: list[str] = []
        self.pages = 0

    def read(self, bucket: str, key: str, max_bytes: int) -> bytes:
        return self.fetch(bucket, key, max_bytes).data

    def fetch(self, bucket: str, key: str, max_bytes: int) -> Fetched:
        self.reads.append(key)
        self._fail(key)
        if key not in self.kept:
            raise ObjectGone(f"s3://{bucket}/{key} is not there (NoSuchKey)")
        if len(self.kept[key]) > max_bytes:
            raise too_large(len(self.kept[key]), max_bytes)
        return Fetched(self.kept[key], hashlib.md5(self.kept[key]).hexdigest())

    def page(self, bucket: str, prefix: str, after: str, limit: int) -> list[Listed]:
        self.pages += 1
        self._fail(bucket)
        keys = sorted((k for k in self.kept if k.startswith(prefix) and k.encode() > after.encode()), key=str.encode)
        return [Listed(key, len(self.kept[key]), hashlib.md5(self.kept[key]).hexdigest()) for key in keys[:limit]]

    def write(self, bucket: str, key: str, chunks: Iterable[bytes], content_type: str) -> None:
        self._fail(key)
        self.kept[key] = b"".join(chunks)

    def lines(self, key: str) -> list[dict[str, Any]]:
        """A file of JSON lines, parsed."""
        return [json.loads(line) for line in self.kept[key].splitlines()]

    def _fail(self, name: str) -> None:
        failure = self.failures.get(name)
        if isinstance(failure, list):
            failure = failure.pop(0) if failure else None
        if failure:
            raise failure


class FakeQueue:
    """`bodies` are the waiting messages, `refused` the bodies that `send` refuses, as a throttled queue does."""

    def __init__(self, name: str = "pictures") -> None:
        self.name = name
        self.bodies: list[str] = []
        self.refused: set[str] = set()
        self.deleted: list[str] = []
        self.on_send: Callable[[], None] = lambda: None
        self._received = 0

    def send(self, bodies: Sequence[str]) -> None:
        self.on_send()
        refused = [body for body in bodies if body in self.refused]
        self.bodies += [body for body in bodies if body not in self.refused]
        if refused:
            raise StorageError(f"queue {self.name} refused {len(refused)} of {len(bodies)} messages: send them again")

    def receive(self, visibility_s: int) -> list[dict[str, Any]]:
        received, self.bodies = self.bodies[:10], self.bodies[10:]
        first, self._received = self._received, self._received + len(received)
        return [
            {"MessageId": f"m{number}", "ReceiptHandle": f"r{number}", "Body": body}
            for number, body in enumerate(received, first)
        ]

    def length(self) -> int:
        return len(self.bodies)

    def outstanding(self) -> int:
        return len(self.bodies)

    def max_receives(self) -> int:
        return 3

    def delete(self, receipt: str) -> None:
        self.deleted.append(receipt)


def event_of(*bodies: str, again: Collection[int] = (), receives: int = 2) -> dict[str, Any]:
    """The SQS event with these messages, m0, m1, ...; those in `again` come for the `receives`th time."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": f"r{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receives) if number in again else "1"},
                "eventSource": "aws:sqs",
            }
            for number, body in enumerate(bodies)
        ]
    }


def failed_of(answer: dict[str, Any]) -> list[str]:
    """The ids of the messages that are to come again."""
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
