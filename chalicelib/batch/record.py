"""A batch with its counts, and the result of one picture in it."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

MAX_SORT_KEY_BYTES = 1024
"""DynamoDB's limit, which is also S3's limit for a key; a key with its ETag may be longer."""
INCOMING, OUTPUT = "incoming/", "results/"
"""Prefixes. Objects under the first are classified as soon as they are uploaded, so no results may be written there."""
RESULTS, SUMMARY = "results.jsonl", "summary.json"
"""Names of the files that are written when a batch is complete."""
BatchState = Literal["listing", "running", "complete", "failed", "open"]
LISTING: Final = "listing"
RUNNING: Final = "running"
COMPLETE: Final = "complete"
FAILED: Final = "failed"
OPEN: Final = "open"
"""The batch of the pictures that were uploaded under `incoming/` on one day, in UTC, before it has its files."""


@dataclass(frozen=True)
class Batch:
    """A batch and its counts. Times are seconds since the epoch."""

    id: str
    bucket: str
    prefix: str
    output_bucket: str
    output_prefix: str
    created: float
    state: BatchState = LISTING
    model: str | None = None
    top_k: int | None = None
    page: int = 0
    """Pages listed."""
    last_key: str = ""
    """The last key listed; the next page begins after it."""
    total: int = 0
    """Keys listed; of a day's batch, the results that its files have."""
    done: int = 0
    """Pictures that have a result, which may be an error."""
    failed: int = 0
    """Pictures whose result is an error; `done` counts them, too."""
    updated: float | None = None
    """When the last result was stored."""
    finished: float | None = None
    error: Mapping[str, str] | None = None

    @property
    def answered(self) -> bool:
        """Whether the listing is complete and every key has its result."""
        return self.state == RUNNING and self.done >= self.total

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the batch."""
        return self.state in (COMPLETE, FAILED)

    @property
    def known_total(self) -> int | None:
        """The number of pictures; None until the listing is complete."""
        return self.total if self.state in (RUNNING, COMPLETE) else None

    def output(self, name: str) -> str:
        """The key of a file that is written when the batch is complete."""
        return f"{self.output_prefix}{name}"

    def describe(self, now: float | None = None) -> dict[str, Any]:
        """The API's body: state, counts, pictures per second, seconds left (None if unknown), and the files' URLs."""
        end = self.finished or (time.time() if now is None else now)
        rate = self.done / max(end - self.created, 0.001)
        total = self.known_total
        left_s = round((total - self.done) / rate) if total is not None and rate else None
        where = f"s3://{self.output_bucket}/{self.output_prefix}"
        files = {"results": f"{where}{RESULTS}", "summary": f"{where}{SUMMARY}"}
        return {
            "id": self.id,
            "state": self.state,
            "source": f"s3://{self.bucket}/{self.prefix}",
            "total": total,
            "listed": self.total,
            "done": self.done,
            "failed": self.failed,
            "rate_per_s": round(rate, 2),
            "estimated_s_left": 0 if self.state == COMPLETE else left_s,
            **(files if self.state == COMPLETE else dict.fromkeys(files)),
            "error": dict(self.error) if self.error else None,
        }

    def describe_openly(self) -> dict[str, Any]:
        """`describe` without the buckets' names, which hold the account's id: for callers without credentials."""
        status = self.describe()
        error = status["error"]
        return status | {
            **{name: self._without_buckets(status[name]) for name in ("source", "results", "summary")},
            "error": error and error | {"Message": self._without_buckets(error["Message"])},
        }

    def _without_buckets(self, text: str | None) -> str | None:
        for bucket in (self.bucket, self.output_bucket):
            text = text and text.replace(f"s3://{bucket}/", "").replace(f"s3://{bucket}", "the bucket")
        return text


@dataclass(frozen=True)
class Result:
    """One picture's result: `answer` holds `predictions` or `error`, and classifying again gives the same."""

    key: str
    answer: Mapping[str, Any]
    etag: str | None = None
    """Set only for pictures under `incoming/`, where another picture may be uploaded to the same key later."""
    milliseconds: float = 0.0
    """Waiting for the picture's bytes plus classifying it. Bytes are fetched ahead, so this is less than fetch and
    classification together; a worker's values do not overlap, so their sum is the time for which it was busy."""

    @property
    def identity(self) -> str:
        """Names the result: a batch keeps exactly one for each identity."""
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
    """The batch of the pictures that were uploaded under `incoming/` on `day` (`2026-01-31`)."""
    batch_id = day_id(day)
    return Batch(batch_id, bucket, INCOMING, bucket, f"{OUTPUT}{batch_id}/", time.time(), OPEN)


def day_id(day: str) -> str:
    """The id of that batch."""
    return f"incoming-{day}"


def canonical(answer: Mapping[str, Any]) -> str:
    """An answer as JSON; equal answers give equal text."""
    return json.dumps(answer, separators=(",", ":"), sort_keys=True)
