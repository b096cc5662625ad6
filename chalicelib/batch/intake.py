"""Takes what AWS delivers to a function and puts the pictures that it names into the picture queue.

A record that nobody can read goes to the dead letters, with the reason, and never comes again: it would block its
shard. If a queue cannot be reached, the record comes again: from a stream or a queue by its identifier
(`ReportBatchItemFailures`), from any other service because this raises. What comes twice is queued twice, and counts
once: the results' table holds one for each picture (`record.Result.identity`).

Sources: AWS Lambda developer guide, "Using Lambda with Amazon Kinesis Data Streams", "Process Amazon DynamoDB records
with Lambda" (partial batch responses) and "Invoking a Lambda function asynchronously".
"""

import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from chalicelib.aws import events
from chalicelib.aws.events import PictureRef
from chalicelib.aws.sqs import Queue
from chalicelib.batch.days import LOOK_BACK_DAYS
from chalicelib.batch.record import OUTPUT
from chalicelib.batch.scheduled import Scheduled
from chalicelib.batch.service import Service
from chalicelib.errors import ClientError, InvalidRequest, StorageError
from chalicelib.telemetry import log

AT_ONCE = 100
"""Records that are queued together: if a queue fails, at most so many are queued again."""
MAX_MESSAGE_BYTES = 10_000
MAX_LETTER_BYTES = 25_000
"""Of a message, ten of which SQS takes in one request of 256 KB: a record that is too large must not stop those behind
it. A dead letter of a longer record has its beginning, and the identifier with which its stream has it.
"""
WORKFLOWS = "workflows/"
_SHOWN = 300
"""Characters of a refused record in the log."""


class _Taken(NamedTuple):
    """What one record asks for."""

    pictures: Sequence[str] = ()
    start: Scheduled | None = None
    letter: str | None = None
    ignored: int = 0


class Intake:
    """One for each process. `home` is the stage's own bucket, to which results are written."""

    def __init__(
        self,
        pictures: Queue,
        dead_letters: Queue,
        service: Service,
        home: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pictures, self._dead_letters, self._service = pictures, dead_letters, service
        self._home, self._now = home, now

    def take(self, event: Any, request_id: str) -> dict[str, Any]:
        """Queue what an event names, in order; returns `batchItemFailures` for a stream or a queue, else counts.

        `request_id` is Lambda's, the same at each try of an asynchronous event. Raises StorageError if a queue cannot
        be reached and the event's service has no identifiers: Lambda then tries again.
        """
        records = _records(event)
        counts = dict.fromkeys(("pictures", "batches", "ignored", "refused"), 0)
        for start in range(0, len(records), AT_ONCE):
            try:
                for name, count in self._queue(records[start : start + AT_ONCE], request_id).items():
                    counts[name] += count
            except Exception as error:
                log("intake_failed", error=str(error), left=len(records) - start, traceback=traceback.format_exc())
                return _again(records[start:], error)
        log("intake", source=_source(records[0]) if records else "none", records=len(records), **counts)
        return {"batchItemFailures": []} if records and _identifier(records[0]) else dict(counts)

    def _queue(self, records: Sequence[Any], request_id: str) -> dict[str, int]:
        taken = [self._read(record, request_id) for record in records]
        bodies = [body for one in taken for body in one.pictures]
        started = [self._start(one.start, record) for one, record in zip(taken, records, strict=True) if one.start]
        letters = [letter for letter in [*(one.letter for one in taken), *started] if letter]
        self._pictures.send(bodies)
        self._dead_letters.send(letters)
        ignored, batches = sum(one.ignored for one in taken), sum(letter is None for letter in started)
        return {"pictures": len(bodies), "batches": batches, "ignored": ignored, "refused": len(letters)}

    def _read(self, record: Any, request_id: str) -> _Taken:
        """What a record asks for; one that cannot be read asks for a dead letter."""
        try:
            if (start := Scheduled.read(record, request_id)) is not None:
                return _Taken(start=start)
            return self._taken(events.read(record))
        except InvalidRequest as error:
            return _Taken(letter=_letter(record, error))
        except Exception as error:  # a fault of this program, which another try would meet, too
            log("intake_fault", error=str(error), traceback=traceback.format_exc())
            return _Taken(letter=_letter(record, error))

    def _taken(self, refs: Sequence[PictureRef]) -> _Taken:
        bodies = [self._dated(ref).to_message() for ref in refs if not self._is_own_result(ref)]
        if any(len(body) > MAX_MESSAGE_BYTES for body in bodies):
            raise InvalidRequest(f"a picture's fields have more than {MAX_MESSAGE_BYTES} bytes together")
        return _Taken(bodies, ignored=len(refs) - len(bodies) or not refs)

    def _start(self, start: Scheduled, record: Any) -> str | None:
        """Start a batch; gives a dead letter if it can never be started. Raises StorageError."""
        try:
            self._service.start(**start._asdict())
        except ClientError as error:
            return _letter(record, error)
        return None

    def _is_own_result(self, ref: PictureRef) -> bool:
        """Whether this stage wrote the object: to classify it would write another one, without end."""
        return ref.bucket == self._home and ref.key.startswith((OUTPUT, WORKFLOWS))

    def _dated(self, ref: PictureRef) -> PictureRef:
        """The picture as one of a day, whose files are still to be written; no trigger adds to a batch."""
        now = self._now()
        first = (now - timedelta(days=LOOK_BACK_DAYS - 1)).date().isoformat()
        in_time = ref.time is not None and first <= ref.time[:10] <= (now + timedelta(days=1)).date().isoformat()
        return replace(ref, batch=None, time=ref.time if in_time else now.isoformat())


def _records(event: Any) -> list[Any]:
    """The records that can fail one by one; any other event is one record."""
    records = event.get("Records") if isinstance(event, dict) else None
    return records if isinstance(records, list) else [event]


def _again(records: Sequence[Any], error: Exception) -> dict[str, Any]:
    identifiers = [_identifier(record) for record in records]
    if not all(identifiers):
        if isinstance(error, StorageError):
            raise error
        raise StorageError(f"the event was not queued ({type(error).__name__}: {error}): Lambda tries again") from error
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


def _source(record: Any) -> str:
    if not isinstance(record, Mapping):
        return "unknown"
    found = record.get("eventSource") or record.get("EventSource") or record.get("source")
    return found[:_SHOWN] if isinstance(found, str) else "unknown"


_PLACES = {
    "aws:kinesis": ("kinesis", "sequenceNumber"),
    "aws:dynamodb": ("dynamodb", "SequenceNumber"),
    "aws:sqs": ("messageId",),
}
"""Where a record has what Lambda expects in `itemIdentifier`."""


def _identifier(record: Any) -> str | None:
    """What names a record of a stream or a queue to Lambda; None for one of another service."""
    found = record
    for name in _PLACES.get(_source(record), ()):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) and found else None


def _letter(record: Any, error: Exception) -> str:
    """A dead letter. `chalicelib.aws.events` reads the record out of it, so that it can be put back."""
    source, identifier = _source(record), _identifier(record)
    try:
        text = json.dumps(record, default=str)
    except (ValueError, RecursionError):
        text = json.dumps(str(type(record)))
    log("intake_refused", source=source, id=identifier, error=str(error), record=text[:_SHOWN])
    content = {"source": source, "id": identifier, "error": str(error)[:_SHOWN]}
    if len(text) > MAX_LETTER_BYTES - 1000:
        return json.dumps({**content, "bytes": len(text), "beginning": text[: MAX_LETTER_BYTES // 3]})
    return f'{json.dumps(content)[:-1]}, "requestPayload": {text}}}'
