"""Writes the files of the days on which pictures were uploaded under `incoming/`.

A schedule asks for this every hour, so that a day gets its files although nothing is uploaded on the next one. A day is
due when it is over and no message of a picture is outstanding. If a result comes later still, as from a dead letter
that was put back, the files are written anew: they always end as what the table holds.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from chalicelib.aws.s3 import Objects
from chalicelib.aws.sqs import Queue
from chalicelib.batch.record import COMPLETE, OPEN, Batch, day_id
from chalicelib.batch.results import write_files
from chalicelib.batch.table import Table
from chalicelib.errors import SlimceptionError
from chalicelib.telemetry import log

SETTLED_AFTER = timedelta(minutes=10)
"""S3's notifications take seconds, "but can sometimes take a minute or longer" (Amazon S3 user guide, "Amazon S3 Event
Notifications")."""
AT_LATEST = timedelta(days=1)
"""After this long a day gets its files although messages are outstanding: a large batch may fill the queue for days."""
LOOK_BACK_DAYS = 28
"""After 30 days DynamoDB deletes results; files written anew would lack them."""


class Days:
    """The batches of the days. `now` gives the time, in UTC."""

    def __init__(
        self, objects: Objects, table: Table, pictures: Queue, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._objects, self._table, self._pictures, self._now = objects, table, pictures, now

    def close(self, remaining_ms: Callable[[], float], margin_ms: float) -> None:
        """Write the files of each day that is due; doing this twice writes the same files.

        With less time left than `margin_ms` the rest waits for the next call. A day that fails does not stop the
        others; then its error is raised: what `clients.translated` raises.
        """
        failure: SlimceptionError | None = None
        for batch in self._due():
            if remaining_ms() < margin_ms:
                break
            try:
                self._write(batch.id)
            except SlimceptionError as error:
                log("day_not_closed", batch=batch.id, error=str(error))
                failure = failure or error
        if failure:
            raise failure

    def _due(self) -> Iterator[Batch]:
        now = self._now()
        for back in range(1, LOOK_BACK_DAYS + 1):
            day = (now - timedelta(days=back)).date()
            batch = self._table.get(day_id(day.isoformat()))
            if batch is None:
                continue
            over = now - datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
            late = batch.state == COMPLETE and batch.done > batch.total
            if late or (batch.state == OPEN and self._is_settled(over)):
                yield batch

    def _is_settled(self, over: timedelta) -> bool:
        return over >= AT_LATEST or (over >= SETTLED_AFTER and not self._pictures.outstanding())

    def _write(self, batch_id: str) -> None:
        """Write the files if no other invocation is doing so: an older one that ends last would undo the newer."""
        if not self._table.claim(batch_id):
            return
        batch = self._table.get(batch_id)
        if batch is None:  # DynamoDB has deleted it since
            return
        write_files(self._objects, self._table, batch)
        self._table.close_day(batch)
        log("day_closed", batch=batch_id, done=batch.done, failed=batch.failed)
