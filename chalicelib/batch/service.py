"""Starts a batch and describes it: the work of `POST /batches` and `GET /batches/{id}`."""

import re
import time
import uuid
from typing import Any

from chalicelib.aws.buckets import Buckets
from chalicelib.aws.sqs import Queue
from chalicelib.aws.urls import parse_s3_url
from chalicelib.batch.messages import list_message
from chalicelib.batch.record import INCOMING, OUTPUT, Batch
from chalicelib.batch.table import Table
from chalicelib.errors import InvalidRequest, UnknownBatch

_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


class Service:
    """Starts batches and finds them. `open_to_all`: anybody may call it, so no answer has the name of a bucket."""

    def __init__(self, table: Table, listings: Queue, buckets: Buckets, *, open_to_all: bool = False) -> None:
        self._table, self._listings, self._buckets = table, listings, buckets
        self._describe = Batch.describe_openly if open_to_all else Batch.describe

    def start(
        self,
        source: str,
        model: str | None = None,
        top_k: int | None = None,
        output: str | None = None,
        batch_id: str | None = None,
    ) -> dict[str, Any]:
        """Start a batch of the pictures under `s3://bucket/prefix`; returns what `describe` does.

        Starting one twice with the same `batch_id` starts one; without an id it gets a random one.

        Raises InvalidRequest, ObjectForbidden if a bucket is not the stage's, and StorageError. The lister lists the
        keys later, not this call. The files go to `output`, or to `results/<id>/` in the same bucket.
        """
        batch_id = batch_id or uuid.uuid4().hex
        bucket, prefix = parse_s3_url(source, "source")
        output_bucket, output_prefix = parse_s3_url(output, "output") if output else (bucket, f"{OUTPUT}{batch_id}/")
        if output_prefix and not output_prefix.endswith("/"):
            output_prefix += "/"
        for one in (bucket, output_bucket):
            self._buckets.check(one)
        check_no_loop(bucket, prefix, output_bucket, output_prefix)
        batch = Batch(batch_id, bucket, prefix, output_bucket, output_prefix, time.time(), model=model, top_k=top_k)
        self._table.create(batch)
        self._listings.send([list_message(batch_id)])
        return self._describe(batch)

    def describe(self, batch_id: str) -> dict[str, Any]:
        """`Batch.describe` of a batch; raises UnknownBatch and StorageError."""
        return self._describe(self.find(batch_id))

    def find(self, batch_id: str) -> Batch:
        """A batch with its present counts; raises UnknownBatch and StorageError."""
        batch = self._table.get(batch_id) if _ID.fullmatch(batch_id) else None
        if batch is None:
            raise UnknownBatch(f"no batch is called {batch_id[:100]!r}: POST /batches starts one and tells its id")
        return batch


def check_no_loop(bucket: str, prefix: str, output_bucket: str, output_prefix: str) -> None:
    """Raise InvalidRequest if the results would themselves be listed or classified."""
    if output_bucket == bucket and output_prefix.startswith(prefix):
        where = f"s3://{bucket}/{prefix}"
        raise InvalidRequest(
            f'the results would lie in s3://{output_bucket}/{output_prefix}, inside of the "source" {where}: '
            'name a longer prefix, or an "output" outside of it'
        )
    if output_prefix.startswith(INCOMING):
        raise InvalidRequest(f'"output" is under {INCOMING}, where whatever is written is classified')
