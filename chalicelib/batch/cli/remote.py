"""Batches on AWS from the command line: watch one, list dead letters, put dead letters back on their queues."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from chalicelib.batch.messages import read_message
from chalicelib.batch.record import Batch
from chalicelib.batch.wiring import DEAD_LETTERS, LISTINGS, PICTURES, BatchServices
from chalicelib.config import Settings
from chalicelib.errors import InvalidRequest, SlimceptionError, StorageError
from chalicelib.inference.store import ModelStore

LOOK_EVERY_S = 1.0
QUIET_LOOKS = 60
"""Looks without progress after which `watch` looks for dead letters."""
HIDDEN_S = 60
"""Seconds for which a dead letter is hidden from other receivers after it was received."""

Show = Callable[[int, int | None, int], None]
Say = Callable[[str], None]


def services_of(stage: str, settings: Settings) -> BatchServices:
    """The batch services of a deployed stage, with this machine's credentials and region."""
    stage_settings = settings._replace(batch_prefix=f"slimception-{stage}")
    return BatchServices(stage_settings, ModelStore(stage_settings))


def watch(
    services: BatchServices, batch_id: str, show: Show, say: Say, wait: Callable[[float], None] = time.sleep
) -> Batch:
    """Show a batch's progress until it ends, and return it; raises UnknownBatch, or StorageError after six failures.

    `wait` pauses for a number of seconds between two looks. If nothing changes for a while, say how many dead letters
    there are, because the batch may be waiting for them.
    """
    failures, quiet, done = 0, 0, -1
    while True:
        try:
            batch, failures = services.service.find(batch_id), 0
        except StorageError:
            failures += 1
            if failures > 5:
                raise
        else:
            show(batch.done, batch.known_total, batch.failed)
            if batch.ended:
                return batch
            quiet, done = (quiet + 1 if batch.done == done else 0), batch.done
            if quiet and quiet % QUIET_LOOKS == 0:
                _say_dead(services, say)
        wait(LOOK_EVERY_S)


def _say_dead(services: BatchServices, say: Say) -> None:
    with suppress(SlimceptionError):  # the user may have access to the table, but not to the queues
        waiting = services.queue(DEAD_LETTERS).length()
        if waiting:
            say(
                f"{waiting} message(s) failed at every delivery and wait in the dead-letter queue, perhaps of this "
                "batch: `python -m chalicelib.batch dead` lists them, `redrive` puts them back on their queues"
            )


def dead_letters(services: BatchServices) -> Iterator[dict[str, str]]:
    """`id`, `queue` and `body` of each message that failed at every delivery; the messages stay in the queue."""
    seen = set()
    queue = services.queue(DEAD_LETTERS)
    while messages := queue.receive(HIDDEN_S):
        for message in messages:
            if message["MessageId"] in seen:
                return
            seen.add(message["MessageId"])
            yield {"id": message["MessageId"], "queue": _queue_of(message), "body": message["Body"]}


def redrive(services: BatchServices) -> int:
    """Put every dead letter back on its queue; returns how many.

    If it is interrupted, one message may be on both queues, which is harmless.
    """
    count, queue = 0, services.queue(DEAD_LETTERS)
    while messages := queue.receive(HIDDEN_S):
        for message in messages:
            services.queue(_queue_of(message)).send([message["Body"]])
            queue.delete(message["ReceiptHandle"])
            count += 1
    return count


def _queue_of(message: Mapping[str, Any]) -> str:
    """The queue that a dead letter came from. If SQS does not say (localaws never does), the form of the body does."""
    source = message.get("Attributes", {}).get("DeadLetterQueueSourceArn", "")
    for name in (PICTURES, LISTINGS):
        if source.endswith(f"-{name}"):
            return name
    try:
        read_message(message["Body"])
    except InvalidRequest:
        return PICTURES
    return LISTINGS
