"""Fixtures: moto in this process, and the embedded model. Importing this needs no more than the runtime."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.inference.store import ModelStore
from tests.support.account import empty_account

BUCKET = "pictures-of-mine"


@cache
def service_models() -> Any:
    """botocore's descriptions of the services, read once: reading them takes longer than most tests."""
    from botocore.loaders import create_loader

    return create_loader()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Makes clients of an empty account. Skips where only the runtime is installed."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed: AWS is not tested")
    with ExitStack() as stack:
        stack.enter_context(empty_account(monkeypatch, "us-east-1"))
        from botocore.session import get_session

        from localaws.shims import tables

        for patch in tables.patches():
            stack.enter_context(patch)
        session = get_session()
        session.register_component("data_loader", service_models())
        boto3.setup_default_session(botocore_session=session)
        clients: dict[str, Any] = {}
        stack.callback(lambda: [client.close() for client in clients.values()])
        yield lambda service: clients.setdefault(service, boto3.client(service))


@pytest.fixture(scope="session")
def digits() -> ModelStore:
    """The embedded model alone."""
    return ModelStore(Settings(model_dirs=(EMBEDDED_MODELS,), num_threads=1))
