"""Several processes that classify files, each with a model of its own."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from chalicelib.batch.answer import answer, refusal
from chalicelib.batch.files import Line, Row
from chalicelib.classifier import Classifier
from chalicelib.config import Settings
from chalicelib.errors import ObjectForbidden, ServiceError
from chalicelib.model_store import ModelStore
from chalicelib.storage import too_large

CHUNK = 32
"""Files handed to a process at once; a few chunks wait for each process, so that none idles."""
AHEAD = 4


class Job(NamedTuple):
    """What is to be done; the same job again resumes."""

    folder: Path
    out: Path
    processes: int
    model: str | None = None
    top_k: int | None = None

    @property
    def journal(self) -> Path:
        """Where answers are kept until all are there."""
        return self.out.with_name(f"{self.out.name}.partial")


def classified(job: Job, settings: Settings, keys: list[str]) -> Iterator[list[Line]]:
    """The lines of each chunk, as they come."""
    chunks = (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))
    single = replace(settings, num_threads=1)  # one process for each processor is faster than threads in one
    pool = ProcessPoolExecutor(job.processes, get_context("spawn"), _begin, (single, job, os.getpid()))
    running: set[Future[list[Line]]] = set()
    try:
        for chunk in chunks:
            running.add(pool.submit(_classify, chunk))
            if len(running) >= AHEAD * job.processes:
                ready, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in ready)
        while running:
            ready, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in ready)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Process(NamedTuple):
    """What a process of the pool keeps between its chunks."""

    store: ModelStore
    job: Job
    max_bytes: int


_process: _Process | None = None


def _begin(settings: Settings, job: Job, parent: int) -> None:
    """In a new process: Ctrl-C is the parent's to handle, and a process whose parent was killed ends itself."""
    global _process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    store = ModelStore(settings)
    with suppress(ServiceError):  # the first picture will meet it again, where it is told
        loaded(store, job.model)
    _process = _Process(store, job, settings.max_object_bytes)


def loaded(store: ModelStore, model: str | None) -> Classifier:
    """The model, without the line that the engine writes past Python, into the progress bar; raises as `store.get`."""
    shown, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        return store.get(model)
    finally:
        os.dup2(shown, 2)
        os.close(shown)
        os.close(nowhere)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _classify(keys: list[str]) -> list[Line]:
    if _process is None:
        raise ServiceError("the process was not begun")
    store, job, max_bytes = _process
    return [Line.of({"key": key, **_answer(store, job, key, max_bytes)}) for key in keys]


def _answer(store: ModelStore, job: Job, key: str, max_bytes: int) -> Row:
    path = job.folder / key
    try:
        size_bytes = path.stat().st_size
        if size_bytes > max_bytes:
            return refusal(too_large(size_bytes, max_bytes))
        return answer(store, path.read_bytes, job.model, job.top_k)
    except OSError as error:
        return refusal(ObjectForbidden(f"{key} cannot be read ({error.strerror})"))
