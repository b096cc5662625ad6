"""Moto's streams, left to the pollers of their mappings, and safe for several threads.

Moto 5.2.5 calls a function inside PutRecord and PutItem, one record at a time, and knows nothing of batches, retries or
partial failures. While one thread reads a shard of Kinesis, another may add to it.
"""

import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

from moto.dynamodb.models.table import Table
from moto.kinesis.models import Shard, Stream

_reading = threading.RLock()


def patches() -> Iterator[Any]:
    """What to enter while streams are used."""
    nobody = property(lambda stream: {}, lambda stream, value: None)  # noqa: ARG005
    for model in (Stream, Table):
        yield mock.patch.object(model, "lambda_event_source_mappings", nobody, create=True)
    for name in ("get_records", "put_record"):
        yield mock.patch.object(Shard, name, _locked(getattr(Shard, name)))


def _locked(method: Any) -> Any:
    def call(shard: Any, *args: Any) -> Any:
        with _reading:
            return method(shard, *args)

    return call
