"""One large object of S3 to a file, in ranges that several threads read at once.

Each thread has its own connection. All ranges but the first are asked for on condition that the object is still the
same (If-Match), so that no file has parts of two uploads.
Source: Amazon S3 user guide, "Performance guidelines for Amazon S3", "Use byte-range fetches". It has ranges of 8 to 16
MB; smaller ones are faster here, because the first is read alone.
"""

import os
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from chalicelib.aws.direct import Bucket, Range


class Plan(NamedTuple):
    """How large the ranges are, and how many are read at once. `python -m benchmarks.remote_model` compares others."""

    part_bytes: int = 4 * 1024 * 1024
    threads: int = 8


def fetch_in_parts(
    bucket: Bucket, connect: Callable[[], Bucket], key: str, path: Path, expected_bytes: int, plan: Plan
) -> int:
    """Write the object to `path`; gives its size, and reads no more than the first part if that is another one.

    Raises what a connection raises (`aws.direct.Connection.get`), the first error of any thread, and OSError of the
    disk.
    """
    with open(path, "wb", buffering=0) as file:

        def write(data: memoryview, offset: int) -> None:
            try:
                while data:
                    written = os.pwrite(file.fileno(), data, offset)
                    data, offset = data[written:], offset + written
            except OSError as error:
                raise _NotWritten(error) from error

        try:
            first = bucket.read_range(key, 0, plan.part_bytes, None, write)
            if first.size_bytes == expected_bytes:
                _Rest(key, first, plan, write).read(bucket, connect)
        except _NotWritten as error:
            raise error.reason from error
    return first.size_bytes


class _NotWritten(Exception):
    """The disk's error. As an OSError, it would be taken for one of the network, and the range be read again."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _Rest:
    """The ranges that are left, each of which one thread takes."""

    def __init__(self, key: str, first: Range, plan: Plan, write: Callable[[memoryview, int], None]) -> None:
        offsets = range(plan.part_bytes, first.size_bytes, plan.part_bytes)
        self._key, self._etag, self._plan, self._write = key, first.etag, plan, write
        self._more = min(plan.threads, len(offsets)) - 1
        self._offsets = iter(offsets)
        self._lock = threading.Lock()
        self._errors: list[Exception] = []

    def read(self, bucket: Bucket, connect: Callable[[], Bucket]) -> None:
        """Read them all; raises the first error of any thread."""
        started = []
        with suppress(RuntimeError):  # the system has no more threads: those that run read what is left
            for _ in range(self._more):
                thread = threading.Thread(target=self._read_with, args=(connect,), daemon=True)
                thread.start()
                started.append(thread)
        self._read(bucket)
        for thread in started:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _read_with(self, connect: Callable[[], Bucket]) -> None:
        with closing(connect()) as bucket:
            self._read(bucket)

    def _read(self, bucket: Bucket) -> None:
        try:
            while (offset := self._next()) is not None:
                bucket.read_range(self._key, offset, self._plan.part_bytes, self._etag, self._write)
        except Exception as error:  # another thread's, which the caller raises
            self._errors.append(error)

    def _next(self) -> int | None:
        with self._lock:
            return None if self._errors else next(self._offsets, None)
