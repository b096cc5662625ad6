"""Fixtures: moto in this process, and the stores over it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from chalicelib.batch.table import Table
from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.inference.store import ModelStore
from tests.support import paths
from tests.support.fakes import FakeTable

BUCKET = "pictures-of-mine"
KEYS = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "sort", "KeyType": "RANGE"}]


@cache
def service_models() -> Any:
    """botocore's descriptions of the services, read once: reading them takes longer than most tests."""
    from botocore.loaders import create_loader

    return create_loader()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Makes clients of an empty account. Skips where only the runtime is installed."""
    boto3, moto = (
        pytest.importorskip(name, reason="moto is not installed: AWS is not tested") for name in ("boto3", "moto")
    )
    from botocore.session import get_session

    from localaws.shims import tables

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "moto")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws(), ExitStack() as stack:
        for patch in tables.patches():
            stack.enter_context(patch)
        session = get_session()
        session.register_component("data_loader", service_models())
        boto3.setup_default_session(botocore_session=session)
        clients: dict[str, Any] = {}
        stack.callback(lambda: [client.close() for client in clients.values()])
        yield lambda service: clients.setdefault(service, boto3.client(service))


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


@pytest.fixture(scope="session")
def digits() -> ModelStore:
    return ModelStore(Settings(model_dirs=(EMBEDDED_MODELS,), num_threads=1))


@pytest.fixture
def seven() -> bytes:
    return paths.SEVEN.read_bytes()
