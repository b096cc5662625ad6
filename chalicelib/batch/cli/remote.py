"""Batches on AWS from a command line: start and watch one, list dead letters, send them round again."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from chalicelib.batch.messages import read_message
from chalicelib.batch.wiring import DEAD_LETTERS, LISTINGS, PICTURES, BatchServices
from chalicelib.config import Settings
from chalicelib.errors import InvalidRequest, SlimceptionError, StorageError
from chalicelib.inference.store import ModelStore

LOOK_EVERY_S = 1.0
QUIET_LOOKS = 60
HIDDEN_S = 60
"""For this long a dead letter that is looked at is hidden from others."""

Show = Callable[[int, int | None, int], None]
Say = Callable[[str], None]
Told = dict[str, Any]


def services_of(stage: str, settings: Settings) -> BatchServices:
    """The batch's parts of a deployed stage, with this machine's credentials and region."""
    stage_settings = replace(settings, batch_prefix=f"slimception-{stage}")
    return BatchServices(stage_settings, ModelStore(stage_settings))


def watch(
    services: BatchServices, batch_id: str, show: Show, say: Say, wait: Callable[[float], None] = time.sleep
) -> Told:
    """Show a batch's progress until it ends; raises UnknownBatch. A look that fails is tried again.

    While nothing moves it says, now and then, if there are dead letters: the batch may be waiting for those.
    """
    failures, quiet, done = 0, 0, -1
    while True:
        try:
            told, failures = services.service.describe(batch_id), 0
        except StorageError:
            failures += 1
            if failures > 5:
                raise
        else:
            show(told["done"], told["total"], told["failed"])
            if told["state"] in ("complete", "failed"):
                return told
            quiet, done = (quiet + 1 if told["done"] == done else 0), told["done"]
            if quiet and quiet % QUIET_LOOKS == 0:
                _say_dead(services, say)
        wait(LOOK_EVERY_S)


def _say_dead(services: BatchServices, say: Say) -> None:
    with suppress(SlimceptionError):  # whoever may look at a batch need not be allowed to look at queues
        waiting = services.queue(DEAD_LETTERS).length()
        if waiting:
            say(
                f"{waiting} message(s) failed three times and wait in the dead-letter queue, perhaps of this batch: "
                "`python -m chalicelib.batch dead` lists them, `redrive` sends them round again"
            )


def dead_letters(services: BatchServices) -> Iterator[Told]:
    """Each message that failed three times, with what it asks for; it stays where it is."""
    seen = set()
    queue = services.queue(DEAD_LETTERS)
    while messages := queue.receive(HIDDEN_S):
        for message in messages:
            if message["MessageId"] in seen:
                return
            seen.add(message["MessageId"])
            yield {"id": message["MessageId"], "queue": _queue_of(message["Body"]), "body": message["Body"]}


def redrive(services: BatchServices) -> int:
    """Send every dead letter back to its queue; returns how many. Stopped between, one may come twice: harmless."""
    count, queue = 0, services.queue(DEAD_LETTERS)
    while messages := queue.receive(HIDDEN_S):
        for message in messages:
            services.queue(_queue_of(message["Body"])).send([message["Body"]])
            queue.delete(message["ReceiptHandle"])
            count += 1
    return count


def _queue_of(body: str) -> str:
    try:
        read_message(body)
    except InvalidRequest:
        return PICTURES
    return LISTINGS
