"""S3, SQS and DynamoDB as dicts and lists, with the methods of the classes that stand before them."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from chalicelib.aws.s3 import Listed, too_large
from chalicelib.batch.record import COMPLETE, FAILED, LISTING, RUNNING, Batch, Result
from chalicelib.errors import ObjectGone


class FakeTable:
    def __init__(self) -> None:
        self.batches: dict[str, Batch] = {}
        self.kept: dict[str, dict[str, Result]] = {}
        self._lock = threading.Lock()

    def create(self, batch: Batch) -> bool:
        return self.batches.setdefault(batch.id, batch) is batch

    def get(self, batch_id: str) -> Batch | None:
        batch, kept = self.batches.get(batch_id), self.kept.get(batch_id, {}).values()
        updated = time.time() if kept else None
        return batch and replace(batch, done=len(kept), failed=sum(r.failed for r in kept), updated=updated)

    def advance(self, batch: Batch, last_key: str, added: int, last: bool) -> bool:
        now = self.batches[batch.id]
        if (now.page, now.state) != (batch.page, LISTING):
            return False
        state = RUNNING if last else LISTING
        self.batches[batch.id] = replace(
            now, page=now.page + 1, last_key=last_key, total=now.total + added, state=state
        )
        return True

    def complete(self, batch: Batch) -> bool:
        return self._end(batch, RUNNING, COMPLETE, None)

    def fail(self, batch: Batch, error: Any) -> bool:
        return self._end(batch, batch.state, FAILED, error)

    def record(self, batch_id: str, results: Sequence[Result]) -> int:
        with self._lock:
            kept = self.kept.setdefault(batch_id, {})
            new = {r.identity: r for r in results if r.identity not in kept}
            kept.update(new)
            return len(new)

    def results(self, batch_id: str) -> Iterator[Result]:
        kept = self.kept.get(batch_id, {})
        return iter([kept[name] for name in sorted(kept, key=str.encode)])

    def _end(self, batch: Batch, before: str, after: str, error: Any) -> bool:
        now = self.batches[batch.id]
        if now.state != before:
            return False
        self.batches[batch.id] = replace(now, state=after, error=error, finished=time.time())
        return True


class FakeObjects:
    """`problems` maps a key, or a bucket for a listing, to what is raised."""

    def __init__(self, contents: dict[str, bytes] | None = None) -> None:
        self.contents = contents or {}
        self.problems: dict[str, Exception] = {}
        self.reads: list[str] = []
        self.pages = 0

    def read(self, bucket: str, key: str, max_bytes: int) -> bytes:
        self.reads.append(key)
        if key in self.problems:
            raise self.problems[key]
        if key not in self.contents:
            raise ObjectGone(f"s3://{bucket}/{key} is not there (NoSuchKey)")
        if len(self.contents[key]) > max_bytes:
            raise too_large(len(self.contents[key]), max_bytes)
        return self.contents[key]

    def page(self, bucket: str, prefix: str, after: str, limit: int) -> list[Listed]:
        self.pages += 1
        if bucket in self.problems:
            raise self.problems[bucket]
        keys = sorted(
            (k for k in self.contents if k.startswith(prefix) and k.encode() > after.encode()), key=str.encode
        )
        return [Listed(key, len(self.contents[key]), "tag") for key in keys[:limit]]

    def write(self, bucket: str, key: str, chunks: Iterable[bytes], content_type: str) -> None:
        self.contents[key] = b"".join(chunks)


class FakeQueue:
    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.deleted: list[str] = []
        self.on_send: Callable[[], None] = lambda: None

    def send(self, bodies: Sequence[str]) -> None:
        self.on_send()
        self.bodies += bodies

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
