"""Starts the processes that classify a folder's files, sends them keys and receives lines.

The parent process imports neither numpy nor an engine and has one pipe to each process and no threads, so that it
leaves the processor to the others. If a process ends, for example because memory is short, the parent knows its keys.
"""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self

from chalicelib.batch.cli.files import Line
from chalicelib.batch.cli.job import TRIES, Job, Loaded
from chalicelib.config import Settings
from chalicelib.errors import ServiceError

LONGEST = 32
"""Largest chunk. At this size a process spends a few thousandths of its time waiting for the next one."""
SHARES = 4
"""The remaining keys make at least this many chunks for each process."""
GRACE_S = 5
"""Seconds to wait for the exit code of a process that has closed its pipe."""
_context = get_context("spawn")


class Processes:
    """The first process starts at once and loads the model while the folder is listed; the others start later."""

    def __init__(self, job: Job, settings: Settings) -> None:
        self._job, self._settings = job, settings
        self._live = [_Process(job, settings)]
        self._ended_with: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._live:
            process.end()

    def model(self) -> Loaded:
        """Wait until the first process has loaded the model; raises InvalidRequest, UnknownModel or ServiceError."""
        first = self._live[0]
        try:
            while not first.loaded:
                first.receive()
        except EOFError:
            raise ServiceError(f"a process ended while it loaded the model ({first.how_it_ended()})") from None
        return first.loaded

    def classified(self, keys: list[str]) -> Iterator[list[Line]]:
        """The lines of each chunk, in the order in which chunks are answered.

        If a process ends, a new one gets its chunk, one key at a time. Raises ServiceError if the model fails, or if
        processes end TRIES times at the same key.
        """
        todo = chunks(keys, self._job.processes)
        while len(self._live) < min(self._job.processes, len(keys)):
            self._live.append(_Process(self._job, self._settings))
        for process in self._live:
            process.give(next(todo, []))
        while busy := {process.connection: process for process in self._live if process.chunk}:
            for connection in wait(list(busy)):
                process = busy[connection]  # type: ignore[index]
                try:
                    yield process.receive()
                except EOFError:
                    todo = chain(self._lost(process), todo)
                    self._live[self._live.index(process)] = process = _Process(self._job, self._settings)
                if not process.chunk:
                    process.give(next(todo, []))

    def _lost(self, process: "_Process") -> list[list[str]]:
        """The chunk of a process that ended, as chunks of one key; raises ServiceError after TRIES times."""
        how, chunk = process.how_it_ended(), process.chunk
        self._ended_with.update(chunk)
        if self._ended_with[chunk[0]] == TRIES:
            raise ServiceError(
                f"{chunk[0]} ended its process {TRIES} times ({how}): take it out of the folder, or leave each process "
                "more memory with fewer --processes, and run the same command again to resume"
            )
        return [[key] for key in chunk]


class _Process:
    """One process, which has at most one chunk: a second one might fill the pipe, and both sides would wait forever."""

    def __init__(self, job: Job, settings: Settings) -> None:
        self.connection, theirs = _context.Pipe()
        self._process = _context.Process(target=_serve, args=(theirs, job, settings), daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # only the parent handles Ctrl-C
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()  # or the pipe would stay open after the process has ended
        self.chunk: list[str] = []
        self.loaded: Loaded | None = None

    def give(self, keys: list[str]) -> None:
        """Send a chunk, unless it is empty."""
        self.chunk = keys
        if keys:
            with suppress(ConnectionError):  # `receive` then raises EOFError
                self.connection.send(keys)

    def receive(self) -> list[Line]:
        """The lines of its chunk, or no lines when it has loaded its model.

        Raises EOFError if the process has ended, and the error that it sent if it could not answer.
        """
        try:
            message: Loaded | list[Line] | Exception = self.connection.recv()
        except ConnectionError:
            raise EOFError from None
        if isinstance(message, Exception):
            raise message
        if isinstance(message, Loaded):
            self.loaded = message
            return []
        self.chunk = []
        return message

    def end(self) -> None:
        """End it, even in the middle of a chunk."""
        self._process.terminate()
        self._process.join()
        self.connection.close()

    def how_it_ended(self) -> str:
        """The signal or exit code of a process that has closed its pipe."""
        self._process.join(GRACE_S)
        self.end()
        code = self._process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def chunks(keys: list[str], processes: int) -> Iterator[list[str]]:
    """The keys in order, in chunks that grow shorter, so that all processes end at about the same time.

    Source: C. Polychronopoulos, D. Kuck, "Guided self-scheduling", 1987.
    """
    start = 0
    while left := len(keys) - start:
        length = max(1, min(LONGEST, left // (SHARES * processes)))
        yield keys[start : start + length]
        start += length


def _serve(connection: "Connection[Any, Any]", job: Job, settings: Settings) -> None:
    from chalicelib.batch.cli.child import serve  # only here: it imports numpy and the engine

    serve(connection, job, settings)
