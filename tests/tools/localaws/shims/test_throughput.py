"""One partition takes so many write units in a second, and no more."""

import pytest
from botocore.config import Config

from localaws.cloud.local_aws import LocalAws
from localaws.host.lambda_host import LambdaHost
from localaws.shims.limits import Limits

UNITS = 8


@pytest.fixture(scope="module")
def table():
    with LocalAws(host=LambdaHost(max_instances=1), limits=Limits(write_units_per_s=UNITS)) as running:
        client = running.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
        client.create_table(
            TableName="items",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "sort", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "sort")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client
        client.close()


def item(key, sort, size=1):
    return {"TableName": "items", "Item": {"id": {"S": key}, "sort": {"S": str(sort)}, "more": {"S": "x" * size}}}


def refused_of(put, table, tries=100):
    refused = 0
    for number in range(tries):
        try:
            put(number)
        except table.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "ThrottlingException"
            refused += 1
    return refused


def test_single_writes(table):
    assert 0 < refused_of(lambda number: table.put_item(**item("a", number)), table) < 100


def test_larger_items_cost_more(table):
    with pytest.raises(table.exceptions.ClientError, match="ThrottlingException"):
        table.put_item(**item("large", 1, size=1024 * UNITS))


def test_partitions_do_not_share_them(table):
    assert refused_of(lambda number: table.put_item(**item(f"own {number}", 1)), table) == 0


def test_a_transaction_costs_twice_as_much_and_names_what_was_refused(table):
    fits = [{"Put": item("t", number)} for number in range(UNITS // 2)]
    table.transact_write_items(TransactItems=fits)
    too_many = [{"Put": item("u", number)} for number in range(UNITS // 2 + 1)]
    with pytest.raises(table.exceptions.TransactionCanceledException) as refused:
        table.transact_write_items(TransactItems=too_many)
    codes = [reason["Code"] for reason in refused.value.response["CancellationReasons"]]
    assert codes == ["None"] * (UNITS // 2) + ["ThrottlingError"]
    found = table.query(
        TableName="items", KeyConditionExpression="id = :id", ExpressionAttributeValues={":id": {"S": "u"}}
    )
    assert found["Count"] == 0
