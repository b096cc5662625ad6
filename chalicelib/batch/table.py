"""Results and counts in one DynamoDB table.

One transaction stores a result, if the picture has none yet, and counts it. So the counts are right even if messages
are delivered twice or functions are killed. A batch has 16 items for its counts, because an item takes 1,000 writes a
second and a transaction fails if another one writes the same item; reading adds them up.

`id` "batch <id>" holds the item `batch` and the items `count <n>`; `id` "result <id>" one item for each picture.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chalicelib.aws.clients import translated
from chalicelib.batch import items
from chalicelib.batch.items import batch_key, expires, number
from chalicelib.batch.record import COMPLETE, FAILED, LISTING, OPEN, RUNNING, Batch, BatchState, Result
from chalicelib.errors import StorageError

COUNTS = 16
AT_ONCE = 50
"""Results in a transaction, which takes 100 items and 4 MB."""
TRIES = 8
CLAIM_S = 150
"""Longer than an invocation of the lister lasts (120 s): whoever claimed and is still silent then was ended."""
_TRANSIENT = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_EXISTS = "ConditionalCheckFailed"
_ID = {"#id": "id"}
_IF_NEW = {"ConditionExpression": "attribute_not_exists(#id)", "ExpressionAttributeNames": _ID}


class Table:
    """The table called `name`. Every method raises StorageError if DynamoDB does not answer.

    `wait` pauses for a number of seconds before a transaction is tried again.
    """

    def __init__(self, dynamodb: Any, name: str, wait: Callable[[float], None] = time.sleep) -> None:
        self._dynamodb, self._name, self._wait = dynamodb, name, wait
        self._count = f"count {random.randrange(COUNTS)}"

    def create(self, batch: Batch) -> bool:
        """Store a new batch; False if its id is already taken."""
        return self._conditionally("put_item", Item=items.of_batch(batch), **_IF_NEW)

    def get(self, batch_id: str) -> Batch | None:
        """The batch with its present counts; None if there is none."""
        found = list(self._query(f"batch {batch_id}"))
        batch = next((item for item in found if item["sort"]["S"] == "batch"), None)
        return items.to_batch(batch, [item for item in found if item is not batch]) if batch else None

    def advance(self, batch: Batch, last_key: str, added: int, *, last: bool) -> bool:
        """Note that the page after `batch` was listed, with `added` pictures; False if another invocation did so first.

        `last` says that no page follows.
        """
        return self._conditionally(
            "update_item",
            Key=batch_key(batch.id, "batch"),
            UpdateExpression="SET #page = :next, last_key = :last_key, #state = :state ADD #total :added",
            ConditionExpression="#page = :page AND #state = :listing",
            ExpressionAttributeNames={"#page": "page", "#state": "state", "#total": "total"},
            ExpressionAttributeValues={
                ":next": number(batch.page + 1),
                ":page": number(batch.page),
                ":last_key": {"S": last_key},
                ":state": {"S": RUNNING if last else LISTING},
                ":listing": {"S": LISTING},
                ":added": number(added),
            },
        )

    def complete(self, batch: Batch) -> bool:
        """Note that the files are written; False if that was noted before."""
        return self._end(batch.id, RUNNING, COMPLETE, None)

    def fail(self, batch: Batch, error: Mapping[str, str]) -> bool:
        """Note why the batch ends without files; False if its state has changed since it was read."""
        return self._end(batch.id, batch.state, FAILED, error)

    def claim(self, batch_id: str) -> bool:
        """Reserve the writing of a day's files for CLAIM_S; False if another invocation has reserved it."""
        now = time.time()
        return self._conditionally(
            "update_item",
            Key=batch_key(batch_id, "batch"),
            UpdateExpression="SET claimed = :until",
            ConditionExpression="attribute_exists(#id) AND (attribute_not_exists(claimed) OR claimed < :now)",
            ExpressionAttributeNames=_ID,
            ExpressionAttributeValues={":until": number(now + CLAIM_S), ":now": number(now)},
        )

    def close_day(self, batch: Batch) -> bool:
        """Note that the files of a day have at least the results that `batch` counts, and give back the claim."""
        return self._conditionally(
            "update_item",
            Key=batch_key(batch.id, "batch"),
            UpdateExpression="SET #state = :complete, finished = :now, #total = :done REMOVE claimed",
            ConditionExpression="#state IN (:open, :complete)",
            ExpressionAttributeNames={"#state": "state", "#total": "total"},
            ExpressionAttributeValues={
                ":open": {"S": OPEN},
                ":complete": {"S": COMPLETE},
                ":now": number(time.time()),
                ":done": number(batch.done),
            },
        )

    def record(self, batch_id: str, results: Sequence[Result]) -> int:
        """Store and count the new results; returns how many. After a StorageError, record all of them again."""
        unique = list({result.identity: result for result in results}.values())
        return sum(
            self._transact(batch_id, unique[start : start + AT_ONCE]) for start in range(0, len(unique), AT_ONCE)
        )

    def results(self, batch_id: str) -> Iterator[Result]:
        """Every result, in the order of the keys' bytes."""
        return map(items.to_result, self._query(f"result {batch_id}", items.RESULT_ATTRIBUTES))

    def _transact(self, batch_id: str, results: Sequence[Result]) -> int:
        for attempt in range(TRIES):
            if not results:
                return 0
            writes = [*(self._put(batch_id, result) for result in results), self._add(batch_id, results)]
            reasons = self._try(writes)
            if reasons is None:
                return len(results)
            if set(reasons) & _TRANSIENT:
                self._wait(random.uniform(0, 0.05 * 2**attempt))
            results = [result for result, code in zip(results, reasons, strict=False) if code != _EXISTS]
        raise StorageError(
            f"table {self._name}: other functions wrote the same items {TRIES} times; the messages come again"
        )

    def _try(self, writes: list[dict[str, Any]]) -> list[str] | None:
        """Returns None, or for each write the reason why the transaction was refused."""
        with translated(f"table {self._name}"):
            try:
                self._dynamodb.transact_write_items(TransactItems=writes)
            except self._dynamodb.exceptions.TransactionCanceledException as error:
                reasons = [str(reason.get("Code")) for reason in error.response["CancellationReasons"]]
                if not set(reasons) & {_EXISTS, *_TRANSIENT}:
                    raise
                return reasons
        return None

    def _put(self, batch_id: str, result: Result) -> dict[str, Any]:
        return {"Put": {"TableName": self._name, "Item": items.of_result(batch_id, result), **_IF_NEW}}

    def _add(self, batch_id: str, results: Sequence[Result]) -> dict[str, Any]:
        update = {
            "TableName": self._name,
            "Key": batch_key(batch_id, self._count),
            "UpdateExpression": "SET #updated = :now, expires = :expires ADD #done :done, #failed :failed",
            "ExpressionAttributeNames": {"#updated": "updated", "#done": "done", "#failed": "failed"},
            "ExpressionAttributeValues": {
                ":now": number(time.time()),
                ":expires": expires(),
                ":done": number(len(results)),
                ":failed": number(sum(result.failed for result in results)),
            },
        }
        return {"Update": update}

    def _end(self, batch_id: str, before: BatchState, after: BatchState, error: Mapping[str, str] | None) -> bool:
        return self._conditionally(
            "update_item",
            Key=batch_key(batch_id, "batch"),
            UpdateExpression="SET #state = :after, finished = :now, #error = :error",
            ConditionExpression="#state = :before",
            ExpressionAttributeNames={"#state": "state", "#error": "error"},
            ExpressionAttributeValues={
                ":before": {"S": before},
                ":after": {"S": after},
                ":now": number(time.time()),
                ":error": {"S": json.dumps(error)},
            },
        )

    def _conditionally(self, call: str, **arguments: Any) -> bool:
        with translated(f"table {self._name}"):
            try:
                getattr(self._dynamodb, call)(TableName=self._name, **arguments)
            except self._dynamodb.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def _query(self, partition: str, attributes: Sequence[str] = ()) -> Iterator[Any]:
        """The items of a partition, with only the named attributes if any are named.

        Consistent: a worker counts its results, reads the counts, and asks for the files only if all are answered. If
        each of the last two workers missed the other's results, nobody would ask.
        """
        names = {f"#{name}": name for name in attributes}
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="#id = :id",
            ExpressionAttributeNames={**_ID, **names},
            ExpressionAttributeValues={":id": {"S": partition}},
            ConsistentRead=True,
            **({"ProjectionExpression": ", ".join(names)} if names else {}),
        )
        with translated(f"table {self._name}"):
            for page in pages:
                yield from page["Items"]
