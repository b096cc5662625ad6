"""Fixtures: the table of batches, and the fake that stands for it."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.batch.table import Table
from tests.support.fakes import FakeTable

KEYS = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "sort", "KeyType": "RANGE"}]


@pytest.fixture
def moto_table(aws: Callable[[str], Any]) -> Table:
    attributes = [{"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in KEYS]
    aws("dynamodb").create_table(
        TableName="batches", KeySchema=KEYS, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST"
    )
    return Table(aws("dynamodb"), "batches", wait=lambda _: None)


@pytest.fixture(params=["fake", "moto"])
def table(request: pytest.FixtureRequest) -> Any:
    """The fake and the true one."""
    return FakeTable() if request.param == "fake" else request.getfixturevalue("moto_table")
