"""What is known of a batch, and of one picture in it."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_SORT_KEY_BYTES = 1024
"""DynamoDB's limit, which is also S3's for a key; a key with its ETag may be longer."""
INCOMING, OUTPUT = "incoming/", "results/"
"""Prefixes: what is dropped under the first is classified at once, and so nothing may be written there."""
LISTING, RUNNING, COMPLETE, FAILED, OPEN = "listing", "running", "complete", "failed", "open"
"""States. An open batch has no end: what is dropped under `incoming/` on one day."""


@dataclass(frozen=True)
class Batch:
    """A batch and its counts. Times are seconds since the epoch."""

    id: str
    bucket: str
    prefix: str
    output_bucket: str
    output_prefix: str
    created: float
    state: str = LISTING
    model: str | None = None
    top_k: int | None = None
    page: int = 0
    """Pages listed."""
    last_key: str = ""
    """The last key listed: where the next page begins."""
    total: int = 0
    """Keys listed."""
    done: int = 0
    """Pictures that have a result, an error included."""
    failed: int = 0
    """Of them, those whose result is an error."""
    updated: float | None = None
    """When the last result came."""
    finished: float | None = None
    error: Mapping[str, str] | None = None

    @property
    def answered(self) -> bool:
        """Whether the listing is complete and every key has its result."""
        return self.state == RUNNING and self.done >= self.total

    def output(self, name: str) -> str:
        """The key of one of the files that are written in the end."""
        return f"{self.output_prefix}{name}"

    def describe(self, now: float | None = None) -> dict[str, Any]:
        """State, counts, pictures per second, seconds left (None while they cannot be told), and where results lie."""
        end = self.finished or (time.time() if now is None else now)
        rate = self.done / max(end - self.created, 0.001)
        known = self.state in (RUNNING, COMPLETE)
        left_s = round((self.total - self.done) / rate) if known and rate else None
        where = f"s3://{self.output_bucket}/{self.output_prefix}"
        files = {"results": f"{where}results.jsonl", "summary": f"{where}summary.json"}
        return {
            "id": self.id,
            "state": self.state,
            "source": f"s3://{self.bucket}/{self.prefix}",
            "total": self.total if known else None,
            "listed": self.total,
            "done": self.done,
            "failed": self.failed,
            "rate_per_s": round(rate, 2),
            "estimated_s_left": 0 if self.state == COMPLETE else left_s,
            **(files if self.state == COMPLETE else dict.fromkeys(files)),
            "error": dict(self.error) if self.error else None,
        }


@dataclass(frozen=True)
class Result:
    """One picture's result: `answer` holds `predictions` or `error`, and is the same whenever it is made again."""

    key: str
    answer: Mapping[str, Any]
    etag: str | None = None
    """Told for pictures dropped under `incoming/`, where one key may get other content later."""
    milliseconds: float = 0.0
    """From the first byte asked for to the answer."""

    @property
    def identity(self) -> str:
        """What has exactly one result in its batch."""
        name = f"{self.key}#{self.etag}" if self.etag else self.key
        encoded = name.encode()
        return name if len(encoded) <= MAX_SORT_KEY_BYTES else f"sha256:{hashlib.sha256(encoded).hexdigest()}"

    @property
    def failed(self) -> bool:
        """Whether the result is an error."""
        return "error" in self.answer

    def row(self) -> dict[str, Any]:
        """The line of results.jsonl."""
        return {"key": self.key, **({"etag": self.etag} if self.etag else {}), **self.answer}


def open_batch(day: str, bucket: str) -> Batch:
    """The batch of what was dropped on `day` (`2026-01-31`)."""
    batch_id = f"incoming-{day}"
    return Batch(batch_id, bucket, INCOMING, bucket, f"{OUTPUT}{batch_id}/", time.time(), OPEN)


def canonical(answer: Mapping[str, Any]) -> str:
    """An answer as text that is equal for equal answers."""
    return json.dumps(answer, separators=(",", ":"), sort_keys=True)
