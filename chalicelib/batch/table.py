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
from dataclasses import asdict, fields
from typing import Any

from chalicelib.aws.clients import translated
from chalicelib.batch.record import COMPLETE, FAILED, LISTING, RUNNING, Batch, BatchState, Result, canonical
from chalicelib.errors import StorageError

COUNTS = 16
KEPT_DAYS = 30
"""DynamoDB deletes the items after this time; the files in S3 stay."""
AT_ONCE = 50
"""Results in a transaction, which takes 100 items and 4 MB."""
TRIES = 8
_TRANSIENT = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_COUNTED = ("done", "failed", "updated")

Item = dict[str, dict[str, str]]


class Table:
    """The table called `name`. Every method raises StorageError where DynamoDB does not answer.

    `wait` pauses for a number of seconds before a transaction is tried again.
    """

    def __init__(self, dynamodb: Any, name: str, wait: Callable[[float], None] = time.sleep) -> None:
        self._dynamodb, self._name, self._wait = dynamodb, name, wait
        self._count = f"count {random.randrange(COUNTS)}"

    def create(self, batch: Batch) -> bool:
        """Store a new batch; False if its id is already taken."""
        item = {**_key(batch.id, "batch"), **_to_item(batch), "expires": _number(time.time() + KEPT_DAYS * 86400)}
        return self._conditionally(
            "put_item", Item=item, ConditionExpression="attribute_not_exists(#id)", ExpressionAttributeNames=_ID
        )

    def get(self, batch_id: str) -> Batch | None:
        """The batch with its present counts; None if there is none."""
        items = list(self._query(f"batch {batch_id}"))
        found = next((item for item in items if item["sort"]["S"] == "batch"), None)
        return _to_batch(found, [item for item in items if item is not found]) if found else None

    def advance(self, batch: Batch, last_key: str, added: int, *, last: bool) -> bool:
        """Note that the page after `batch` was listed, with `added` pictures; False if another invocation did so first.

        `last` says that no page follows.
        """
        return self._conditionally(
            "update_item",
            Key=_key(batch.id, "batch"),
            UpdateExpression="SET #page = :next, last_key = :last_key, #state = :state ADD #total :added",
            ConditionExpression="#page = :page AND #state = :listing",
            ExpressionAttributeNames={"#page": "page", "#state": "state", "#total": "total"},
            ExpressionAttributeValues={
                ":next": _number(batch.page + 1),
                ":page": _number(batch.page),
                ":last_key": {"S": last_key},
                ":state": {"S": RUNNING if last else LISTING},
                ":listing": {"S": LISTING},
                ":added": _number(added),
            },
        )

    def complete(self, batch: Batch) -> bool:
        """Note that the files are written; False if that was noted before."""
        return self._end(batch.id, RUNNING, COMPLETE, None)

    def fail(self, batch: Batch, error: Mapping[str, str]) -> bool:
        """Note why the batch ends without files; False if its state has changed since it was read."""
        return self._end(batch.id, batch.state, FAILED, error)

    def record(self, batch_id: str, results: Sequence[Result]) -> int:
        """Store and count the new results; returns how many. After a StorageError, record all of them again."""
        unique = list({result.identity: result for result in results}.values())
        return sum(
            self._transact(batch_id, unique[start : start + AT_ONCE]) for start in range(0, len(unique), AT_ONCE)
        )

    def results(self, batch_id: str) -> Iterator[Result]:
        """Every result, in the order of the keys' bytes."""
        for item in self._query(f"result {batch_id}", ("key", "answer", "etag", "ms")):
            etag = item.get("etag", {}).get("S")
            yield Result(item["key"]["S"], json.loads(item["answer"]["S"]), etag, float(item["ms"]["N"]))

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
        item = {
            "id": {"S": f"result {batch_id}"},
            "sort": {"S": result.identity},
            "key": {"S": result.key},
            "answer": {"S": canonical(result.answer)},
            "ms": _number(result.milliseconds),
            "expires": _number(time.time() + KEPT_DAYS * 86400),
            **({"etag": {"S": result.etag}} if result.etag else {}),
        }
        condition = {"ConditionExpression": "attribute_not_exists(#id)", "ExpressionAttributeNames": _ID}
        return {"Put": {"TableName": self._name, "Item": item, **condition}}

    def _add(self, batch_id: str, results: Sequence[Result]) -> dict[str, Any]:
        update = {
            "TableName": self._name,
            "Key": _key(batch_id, self._count),
            "UpdateExpression": "SET #updated = :now, expires = :expires ADD #done :done, #failed :failed",
            "ExpressionAttributeNames": {"#updated": "updated", "#done": "done", "#failed": "failed"},
            "ExpressionAttributeValues": {
                ":now": _number(time.time()),
                ":expires": _number(time.time() + KEPT_DAYS * 86400),
                ":done": _number(len(results)),
                ":failed": _number(sum(result.failed for result in results)),
            },
        }
        return {"Update": update}

    def _end(self, batch_id: str, before: BatchState, after: BatchState, error: Mapping[str, str] | None) -> bool:
        return self._conditionally(
            "update_item",
            Key=_key(batch_id, "batch"),
            UpdateExpression="SET #state = :after, finished = :now, #error = :error",
            ConditionExpression="#state = :before",
            ExpressionAttributeNames={"#state": "state", "#error": "error"},
            ExpressionAttributeValues={
                ":before": {"S": before},
                ":after": {"S": after},
                ":now": _number(time.time()),
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


_EXISTS = "ConditionalCheckFailed"
_ID = {"#id": "id"}


def _key(batch_id: str, sort: str) -> Item:
    return {"id": {"S": f"batch {batch_id}"}, "sort": {"S": sort}}


def _number(value: float) -> dict[str, str]:
    return {"N": str(round(value, 3))}


def _to_item(batch: Batch) -> Item:
    """The item `batch`, without the counts, which have their own items."""
    known = {name: value for name, value in asdict(batch).items() if value is not None and name not in _COUNTED}
    known.pop("id")
    return {name: {"S": value} if isinstance(value, str) else _number(value) for name, value in known.items()}


def _to_batch(item: Any, counts: Sequence[Any]) -> Batch:
    whole = {"page", "total", "top_k"}
    values: dict[str, Any] = {}
    for field in fields(Batch):
        typed = item.get(field.name)
        if typed and field.name not in ("id", "error"):
            values[field.name] = typed.get("S", float(typed.get("N", 0)))
            values[field.name] = int(values[field.name]) if field.name in whole else values[field.name]
    values |= {name: sum(int(count[name]["N"]) for count in counts) for name in ("done", "failed")}
    values["updated"] = max((float(count["updated"]["N"]) for count in counts), default=None)
    values["error"] = json.loads(item["error"]["S"]) if "error" in item else None
    return Batch(id=item["id"]["S"].removeprefix("batch "), **values)
