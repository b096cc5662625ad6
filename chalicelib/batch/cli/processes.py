"""Several processes that classify a folder's files: starts them, hands out the keys, gathers the lines.

This side imports neither numpy nor an engine, and talks through one pipe to each process, without threads: what it
does not spend, the processes have. It also knows what a process had when it ended, killed for want of memory, say.
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
from chalicelib.batch.cli.job import Job, Loaded
from chalicelib.config import Settings
from chalicelib.errors import ServiceError

LONGEST = 32
"""Keys that are handed over at once where there are many; to wait for the next ones takes a few of a thousand parts."""
SHARES = 4
"""What is left is handed over in this many chunks to each process, or in more."""
TRIES = 3
"""As many as the queue on AWS gives a message."""
GRACE_S = 5
_context = get_context("spawn")


class Processes:
    """The first one starts at once, and loads the model while the folder is listed; the others when there is work."""

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
        """Wait for the first one; raises InvalidRequest, UnknownModel or ServiceError."""
        first = self._live[0]
        try:
            while not first.loaded:
                first.receive()
        except EOFError:
            raise ServiceError(f"a process ended while it loaded the model ({first.end_of_its_own()})") from None
        return first.loaded

    def classified(self, keys: list[str]) -> Iterator[list[Line]]:
        """The lines of each chunk, as they come. A chunk whose process ends goes to a new one, a key at a time.

        Raises ServiceError for a model that fails, and for a key that ended its process again and again.
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
        """The chunk of a process that ended, in pieces; raises ServiceError."""
        how, chunk = process.end_of_its_own(), process.chunk
        self._ended_with.update(chunk)
        if self._ended_with[chunk[0]] == TRIES:
            raise ServiceError(
                f"{chunk[0]} ended its process {TRIES} times ({how}): take it out of the folder, or leave each process "
                "more memory with fewer --processes; the same command then goes on"
            )
        return [[key] for key in chunk]


class _Process:
    """One of them. It has one chunk at most: a second one might not fit into the pipe, and both sides would wait."""

    def __init__(self, job: Job, settings: Settings) -> None:
        self.connection, theirs = _context.Pipe()
        self._process = _context.Process(target=_serve, args=(theirs, job, settings), daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is this side's to handle
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()  # so that the end of the process is the end of the pipe
        self.chunk: list[str] = []
        self.loaded: Loaded | None = None

    def give(self, keys: list[str]) -> None:
        """Hand a chunk over, if there is anything in it."""
        self.chunk = keys
        if keys:
            with suppress(ConnectionError):  # `receive` will meet the end
                self.connection.send(keys)

    def receive(self) -> list[Line]:
        """What it says next: the lines of its chunk, or none when it has loaded its model.

        Raises EOFError when it has ended, and what it could not answer.
        """
        try:
            said: Loaded | list[Line] | Exception = self.connection.recv()
        except ConnectionError:
            raise EOFError from None
        if isinstance(said, Exception):
            raise said
        if isinstance(said, Loaded):
            self.loaded = said
            return []
        self.chunk = []
        return said

    def end(self) -> None:
        """End it, whatever it is at."""
        self._process.terminate()
        self._process.join()
        self.connection.close()

    def end_of_its_own(self) -> str:
        """How it ended, once its end of the pipe has."""
        self._process.join(GRACE_S)
        self.end()
        code = self._process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def chunks(keys: list[str], processes: int) -> Iterator[list[str]]:
    """The keys in order, in runs that grow shorter towards the end, so that no process ends long before the others.

    Source: C. Polychronopoulos, D. Kuck, "Guided self-scheduling", 1987.
    """
    start = 0
    while left := len(keys) - start:
        length = max(1, min(LONGEST, left // (SHARES * processes)))
        yield keys[start : start + length]
        start += length


def _serve(connection: "Connection[Any, Any]", job: Job, settings: Settings) -> None:
    from chalicelib.batch.cli.child import serve  # and all that classifying needs

    serve(connection, job, settings)
