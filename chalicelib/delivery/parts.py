"""One large object of S3 to a file, in ranges that several threads read at once.

Each thread has its own connection. All ranges but the first are asked for on condition that the object is still the
same (If-Match), so that no file has parts of two uploads.
Source: Amazon S3 user guide, "Performance guidelines for Amazon S3", "Use byte-range fetches": ranges of 8 to 16 MB.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from chalicelib.aws.direct import Bucket

PART_BYTES = 8 * 1024 * 1024
THREADS = 4
"""`python -m benchmarks.remote_model` shows the times of others."""


def fetch_in_parts(bucket: Bucket, connect: Callable[[], Bucket], key: str, path: Path, expected_bytes: int) -> int:
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
            first = bucket.read_range(key, 0, PART_BYTES, None, write)
            if first.size_bytes == expected_bytes:
                rest = iter(range(PART_BYTES, first.size_bytes, PART_BYTES))
                _Rest(key, first.etag, rest, write).read(bucket, connect, first.size_bytes)
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

    def __init__(self, key: str, etag: str, offsets: Iterator[int], write: Callable[[memoryview, int], None]) -> None:
        self._key, self._etag, self._offsets, self._write = key, etag, offsets, write
        self._lock = threading.Lock()
        self._errors: list[Exception] = []

    def read(self, bucket: Bucket, connect: Callable[[], Bucket], size_bytes: int) -> None:
        count = min(THREADS, -(-size_bytes // PART_BYTES) - 1) - 1
        """Read them all; raises the first error of any thread."""
        started = []
        with suppress(RuntimeError):  # the system has no more threads: those that run read what is left
            for _ in range(count):
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
                bucket.read_range(self._key, offset, PART_BYTES, self._etag, self._write)
        except Exception as error:  # another thread's, which the caller raises
            self._errors.append(error)

    def _next(self) -> int | None:
        with self._lock:
            return None if self._errors else next(self._offsets, None)
