"""Moto's tables under several writers: nothing that another thread wrote is lost."""

import threading

import pytest
from moto.dynamodb.models import Table

TABLE = "t"


@pytest.fixture
def dynamodb(cloud):
    client = cloud.client("dynamodb")
    names = ("id", "sort")
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": n, "KeyType": k} for n, k in zip(names, ("HASH", "RANGE"), strict=True)],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
        BillingMode="PAY_PER_REQUEST",
    )
    yield client
    client.delete_table(TableName=TABLE)
    client.close()


def put(sort: str, condition: bool = True) -> dict:
    item = {"id": {"S": "a"}, "sort": {"S": sort}}
    guard = {"ConditionExpression": "attribute_not_exists(id)"} if condition else {}
    return {"Put": {"TableName": TABLE, "Item": item, **guard}}


def add(amount: int = 1) -> dict:
    key = {"id": {"S": "a"}, "sort": {"S": "count"}}
    values = {":n": {"N": str(amount)}}
    return {
        "Update": {
            "TableName": TABLE,
            "Key": key,
            "UpdateExpression": "ADD n :n",
            "ExpressionAttributeValues": values,
        }
    }


def sorts(dynamodb) -> list[str]:
    return sorted(item["sort"]["S"] for item in dynamodb.scan(TableName=TABLE)["Items"])


def test_a_refused_transaction_leaves_no_trace(dynamodb):
    dynamodb.transact_write_items(TransactItems=[put("one"), add()])
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.transact_write_items(TransactItems=[put("two"), put("one"), add(5)])
    codes = [reason["Code"] for reason in caught.value.response["CancellationReasons"]]
    assert codes == ["None", "ConditionalCheckFailed", "None"]
    assert sorts(dynamodb) == ["count", "one"]
    item = dynamodb.get_item(TableName=TABLE, Key={"id": {"S": "a"}, "sort": {"S": "count"}})["Item"]
    assert item["n"] == {"N": "1"}


def test_writers_at_once_lose_nothing(dynamodb):
    """Half of the transactions are refused, each while others are written."""
    refused = []

    def write(writer: int) -> None:
        for number in range(30):
            try:
                dynamodb.transact_write_items(TransactItems=[put(f"shared {number}"), put(f"{writer} {number}"), add()])
            except dynamodb.exceptions.TransactionCanceledException:
                refused.append(number)
                dynamodb.transact_write_items(TransactItems=[put(f"{writer} {number}"), add()])

    writers = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(refused) == 60
    assert len(sorts(dynamodb)) == 30 + 90 + 1
    item = dynamodb.get_item(TableName=TABLE, Key={"id": {"S": "a"}, "sort": {"S": "count"}})["Item"]
    assert item["n"] == {"N": "90"}


def keys_of(dynamodb, condition: str, values: dict, **options) -> list[str]:
    found = dynamodb.query(
        TableName=TABLE, KeyConditionExpression=condition, ExpressionAttributeValues=values, **options
    )
    return [item["sort"]["S"] for item in found["Items"]]


def test_a_query_reads_its_own_partition_only(dynamodb, monkeypatch):
    for partition, sort in [("a", "2"), ("a", "1"), ("b", "3"), ("c", "4")]:
        dynamodb.put_item(TableName=TABLE, Item={"id": {"S": partition}, "sort": {"S": sort}})
    read = []
    all_items = Table.all_items
    monkeypatch.setattr(Table, "all_items", lambda table: read.append(len(found := all_items(table))) or found)
    assert keys_of(dynamodb, "id = :id", {":id": {"S": "a"}}) == ["1", "2"]
    assert keys_of(dynamodb, "id = :id AND sort > :s", {":id": {"S": "a"}, ":s": {"S": "1"}}) == ["2"]
    assert read == [2, 2]
    assert keys_of(dynamodb, "id = :id", {":id": {"S": "nothing"}}) == []
    assert sorts(dynamodb) == ["1", "2", "3", "4"]


def test_a_query_of_an_index_reads_every_partition(dynamodb):
    dynamodb.update_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "sort", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "by-sort",
                    "KeySchema": [{"AttributeName": "sort", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )
    for partition in ("a", "b"):
        dynamodb.put_item(TableName=TABLE, Item={"id": {"S": partition}, "sort": {"S": "same"}})
    assert keys_of(dynamodb, "sort = :s", {":s": {"S": "same"}}, IndexName="by-sort") == ["same", "same"]


def test_queries_while_others_write(dynamodb):
    """Without the lock a dictionary changes its size while it is read."""
    ended = threading.Event()

    def write(writer: int) -> None:
        number = 0
        while not ended.is_set():
            dynamodb.put_item(TableName=TABLE, Item={"id": {"S": "a"}, "sort": {"S": f"{writer} {number}"}})
            number += 1

    writers = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for writer in writers:
        writer.start()
    try:
        counts = [len(keys_of(dynamodb, "id = :id", {":id": {"S": "a"}})) for _ in range(60)]
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    assert counts == sorted(counts)
