"""`export`: the results that the table has of a batch, as JSON Lines or CSV, into a file or into S3.

A batch that is open or running is exported as far as it is: every result that is stored, in the order of the keys.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from chalicelib.aws.urls import parse_s3_url
from chalicelib.batch.cli import files
from chalicelib.batch.cli.files import Line
from chalicelib.batch.record import INCOMING, Batch
from chalicelib.batch.wiring import BatchServices
from chalicelib.errors import InvalidRequest

SUFFIXES = {".jsonl": "application/x-ndjson", ".csv": "text/csv"}
"""Endings of a result's name, and their media types."""


class Counts:
    """How many lines went by."""

    def __init__(self) -> None:
        self.total = self.failed = 0

    def watch(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Yield the same lines and count each."""
        for line in lines:
            self.total += 1
            self.failed += line.failed
            yield line


def export(services: BatchServices, batch_id: str, out: str) -> tuple[Batch, Counts]:
    """Write the results to `out`, a file or `s3://bucket/key`; readers see the whole file or none of it.

    Returns the batch, as it was before the results were read, and what was written. Raises UnknownBatch, InvalidRequest
    for a name that cannot be used, ObjectForbidden, StorageError and OSError.
    """
    if not out.endswith(tuple(SUFFIXES)):
        raise InvalidRequest(f"--out is {out[:100]!r}: expected a name that ends with .jsonl or .csv")
    batch, counts = services.service.find(batch_id), Counts()
    lines = counts.watch(Line.of(result.row()) for result in services.table.results(batch_id))
    if out.startswith("s3://"):
        _to_s3(services, out, lines)
    else:
        files.write(Path(out), lines)
    return batch, counts


def _to_s3(services: BatchServices, out: str, lines: Iterable[Line]) -> None:
    bucket, key = parse_s3_url(out, "--out")
    if key.startswith(INCOMING):
        raise InvalidRequest(f"--out is under {INCOMING}, where whatever is written is classified: name another key")
    chunks = (text.encode() for text in files.texts(lines, out))
    services.objects.write(bucket, key, chunks, SUFFIXES[key[key.rindex(".") :]])
