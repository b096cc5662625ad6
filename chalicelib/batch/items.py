"""Batches and results as items of DynamoDB: attributes with a type, as boto3's client takes and returns them."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from chalicelib.batch.record import Batch, Result, canonical

KEPT_DAYS = 30
"""DynamoDB deletes the items after this time; the files in S3 stay."""
RESULT_ATTRIBUTES = ("key", "answer", "etag", "ms")
"""The attributes that `to_result` needs."""
_COUNTED = ("done", "failed", "updated")
_WHOLE = ("page", "total", "top_k")

Item = dict[str, dict[str, str]]


def number(value: float) -> dict[str, str]:
    """A number, to three decimals."""
    return {"N": str(round(value, 3))}


def expires() -> dict[str, str]:
    """The time at which DynamoDB may delete an item that is written now, in seconds since the epoch."""
    return number(time.time() + KEPT_DAYS * 86400)


def batch_key(batch_id: str, sort: str) -> Item:
    """The primary key of a batch's item `batch` or `count <n>`."""
    return {"id": {"S": f"batch {batch_id}"}, "sort": {"S": sort}}


def of_batch(batch: Batch) -> Item:
    """The item `batch`, without the counts, which have their own items."""
    known = {name: value for name, value in asdict(batch).items() if value is not None and name not in _COUNTED}
    known.pop("id")
    typed = {name: {"S": value} if isinstance(value, str) else number(value) for name, value in known.items()}
    return {**batch_key(batch.id, "batch"), **typed, "expires": expires()}


def to_batch(item: Any, counts: Sequence[Any]) -> Batch:
    """The batch of its item `batch` and its items `count <n>`, added up."""
    values: dict[str, Any] = {}
    for field in fields(Batch):
        typed = item.get(field.name)
        if typed and field.name not in ("id", "error"):
            values[field.name] = typed.get("S", float(typed.get("N", 0)))
            values[field.name] = int(values[field.name]) if field.name in _WHOLE else values[field.name]
    values |= {name: sum(int(count[name]["N"]) for count in counts) for name in ("done", "failed")}
    values["updated"] = max((float(count["updated"]["N"]) for count in counts), default=None)
    values["error"] = json.loads(item["error"]["S"]) if "error" in item else None
    return Batch(id=item["id"]["S"].removeprefix("batch "), **values)


def of_result(batch_id: str, result: Result) -> Item:
    """The item of one picture's result."""
    return {
        "id": {"S": f"result {batch_id}"},
        "sort": {"S": result.identity},
        "key": {"S": result.key},
        "answer": {"S": canonical(result.answer)},
        "ms": number(result.milliseconds),
        "expires": expires(),
        **({"etag": {"S": result.etag}} if result.etag else {}),
    }


def to_result(item: Any) -> Result:
    """The result of an item that has at least RESULT_ATTRIBUTES."""
    etag = item.get("etag", {}).get("S")
    return Result(item["key"]["S"], json.loads(item["answer"]["S"]), etag, float(item["ms"]["N"]))
