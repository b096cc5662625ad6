"""One process of a folder's run: it loads the model once, then answers each chunk of keys with their lines."""

import os
import sys
import threading
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import Any

from chalicelib.aws.s3 import too_large
from chalicelib.batch.cli.files import Line
from chalicelib.batch.cli.job import TRIES, Job, Loaded
from chalicelib.config import Settings
from chalicelib.errors import ObjectForbidden, ServiceError, SlimceptionError
from chalicelib.inference.answer import Answer, PictureFailed, answer, given_up
from chalicelib.inference.classifier import Classifier, check_top_k
from chalicelib.inference.store import ModelStore
from chalicelib.statuses import refusal


def serve(connection: "Connection[Any, Any]", job: Job, settings: Settings) -> None:
    """Send `Loaded`, then a list of lines for each chunk, until the parent closes the pipe.

    An error that is not one picture's is sent instead, and ends the process. A lack of memory ends it, too: the parent
    gives its keys to another process, one at a time.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        store = ModelStore(settings._replace(num_threads=1))  # processes gain more than threads within one
        classifier = _loaded(store, job.model)
        check_top_k(job.top_k, len(classifier.labels))
        connection.send(Loaded(classifier.card.name, classifier.card.version))
        while True:
            keys = connection.recv()
            connection.send([Line.of({"key": key, **_answer(store, job, key, settings)}) for key in keys])
    except SlimceptionError as error:
        connection.send(error)
    except (EOFError, ConnectionError):
        pass
    except MemoryError:
        sys.exit(1)
    except Exception as error:
        connection.send(ServiceError(f"a process failed ({type(error).__name__}: {error}): please report this"))


def _answer(store: ModelStore, job: Job, key: str, settings: Settings) -> Answer:
    path = job.folder / key
    try:
        size_bytes = path.stat().st_size
        if size_bytes > settings.max_object_bytes:
            return refusal(too_large(size_bytes, settings.max_object_bytes))
        return _tried(lambda: answer(store, path.read_bytes, job.model, job.top_k))
    except OSError as error:
        return refusal(ObjectForbidden(f"{key} cannot be read ({error.strerror})"))
    except ServiceError as error:
        raise ServiceError(f"{key}: {error}") from error


def _tried(attempt: Callable[[], Answer]) -> Answer:
    """The answer of an attempt, which is repeated if the model fails; the last failure is an answer, too."""
    reason = ""
    for _ in range(TRIES):
        try:
            return attempt()
        except PictureFailed as error:
            reason = str(error)
    return given_up(TRIES, reason)


def _loaded(store: ModelStore, model: str | None) -> Classifier:
    """The model; raises as `store.get`. Hides what the engine writes to stderr, which would break the progress bar."""
    shown, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        return store.get(model)
    finally:
        os.dup2(shown, 2)
        os.close(shown)
        os.close(nowhere)


def _end_with_parent() -> None:
    """End this process when its parent ends, even in the middle of a chunk."""
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)
