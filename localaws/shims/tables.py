"""Moto's DynamoDB, corrected for several workers at once.

Moto checks a condition and then writes, and another thread may write in between. A transaction begins with a copy of
the whole table for each of its items, and a refused one restores that copy: what others wrote meanwhile is lost, and
at ten thousand items each takes seconds. Here one lock guards every write, and a refused transaction puts back the
items that it names. Moto's query sorts the whole table first, and fails if another thread adds to it meanwhile. Here
it sees its own partition, and nobody writes.
"""

import copy
import inspect
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import moto.dynamodb.models as moto_models
from moto.dynamodb.models import DynamoDBBackend, Table
from moto.dynamodb.models.dynamo_type import DynamoType

from localaws.shims.throughput import WriteLimit

_writing = threading.RLock()
_transactions = threading.local()
"""Whether this thread is in a transaction, whose writes moto makes by the methods of single writes."""


def patches(limit: WriteLimit) -> Iterator[Any]:
    """What to enter while tables are used."""
    yield mock.patch.object(moto_models, "copy", SimpleNamespace(deepcopy=_copy_all_but_tables, copy=copy.copy))
    for name in ("put_item", "update_item", "delete_item"):
        yield mock.patch.object(DynamoDBBackend, name, _locked(getattr(DynamoDBBackend, name), limit))
    yield mock.patch.object(Table, "query", _of_one_partition(Table.query))
    yield mock.patch.object(
        DynamoDBBackend, "transact_write_items", _transaction(DynamoDBBackend.transact_write_items, limit)
    )


def _copy_all_but_tables(value: Any, *args: Any) -> Any:
    return value if isinstance(value, Table) else copy.deepcopy(value, *args)


def _locked(method: Any, limit: WriteLimit) -> Any:
    signature = inspect.signature(method)

    def call(backend: Any, *args: Any, **options: Any) -> Any:
        if not getattr(_transactions, "running", False):
            given = signature.bind(backend, *args, **options).arguments
            limit.check(backend, given["table_name"], given.get("item_attrs") or given["key"])
        with _writing:
            return method(backend, *args, **options)

    return call


def _of_one_partition(query: Any) -> Any:
    signature = inspect.signature(query)

    def call(table: Table, hash_key: DynamoType, *args: Any, **options: Any) -> Any:
        by_index = signature.bind(table, hash_key, *args, **options).arguments.get("index_name")
        with _writing:
            seen = table
            if not by_index and table.range_key_attr and hash_key in table.items:
                seen = copy.copy(table)
                seen.items = {hash_key: table.items[hash_key]}
            return query(seen, hash_key, *args, **options)

    return call


def _transaction(transact: Any, limit: WriteLimit) -> Any:
    def call(backend: Any, transact_items: list[dict[str, Any]]) -> Any:
        limit.check_transaction(backend, transact_items)
        with _writing:
            before = [_saved(backend, operation) for item in transact_items for operation in item.values()]
            try:
                _transactions.running = True
                return transact(backend, transact_items)
            except BaseException:
                for items, key, item in before:
                    items.pop(key, None) if item is None else items.update({key: item})
                raise
            finally:
                _transactions.running = False

    return call


def _saved(backend: Any, operation: dict[str, Any]) -> tuple[dict[Any, Any], Any, Any]:
    """The dict that holds an operation's item, its key there, and a copy of it as it is now."""
    table = backend.get_table(operation["TableName"])
    attributes = operation.get("Key") or operation["Item"]
    items, key = table.items, DynamoType(attributes[table.hash_key_attr])
    if table.has_range_key:
        items, key = items[key], DynamoType(attributes[table.range_key_attr])
    return items, key, copy.deepcopy(items.get(key))
