"""The write units that one partition takes, of which moto has any number.

Source: Amazon DynamoDB developer guide, "Best practices for designing and using partition keys effectively" (1,000
units a second), "Read and write operations" (a unit is 1 KB; a transactional write costs two), "Error handling".
"""

import json
import math
import threading
import time
from collections.abc import Mapping
from typing import Any

from moto.dynamodb.exceptions import DynamodbException, TransactionCanceledException

_MESSAGE = (
    "Throughput exceeds the current throughput limit for your table or index. DynamoDB is automatically scaling your "
    "table or index so please try again shortly."
)
_OPERATIONS = ("Put", "Update", "Delete", "ConditionCheck")


class WriteLimit:
    """Counts the units of every partition key."""

    def __init__(self, units_per_s: float) -> None:
        self._units_per_s = units_per_s
        self._left: dict[tuple[str, str], tuple[float, float]] = {}
        """For each table and key: the units left, and when that was."""
        self._lock = threading.Lock()

    def check(self, backend: Any, table: str, attributes: Mapping[str, Any]) -> None:
        """One write of an item with these attributes or of this key; raises ThrottlingException."""
        if not self._take(backend, table, attributes, 1):
            raise DynamodbException("com.amazonaws.dynamodb.v20120810#ThrottlingException", _MESSAGE)

    def check_transaction(self, backend: Any, items: list[dict[str, Any]]) -> None:
        """The writes of one transaction; raises TransactionCanceledException."""
        fits = [self._take(backend, one["TableName"], one.get("Item") or one["Key"], 2) for one in _writes(items)]
        if not all(fits):
            refused = ("ThrottlingError", _MESSAGE, None)
            raise TransactionCanceledException([(None, None, None) if taken else refused for taken in fits])

    def _take(self, backend: Any, table: str, attributes: Mapping[str, Any], factor: int) -> bool:
        key = table, json.dumps(attributes[backend.get_table(table).hash_key_attr], default=str)
        units, now = factor * math.ceil(len(json.dumps(attributes, default=str)) / 1024), time.monotonic()
        with self._lock:
            left, then = self._left.get(key, (self._units_per_s, now))
            left = min(self._units_per_s, left + (now - then) * self._units_per_s)
            self._left[key] = (left - units if left >= units else left), now
        return left >= units


def _writes(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item[name] for item in items for name in _OPERATIONS if name in item]
