"""Fixtures: moto in this process, and the embedded model. Importing this needs no more than the runtime."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.inference.store import ModelStore
from tests.support.account import empty_account
from tests.support.s3_server import S3Server, s3_server

BUCKET = "pictures-of-mine"


@pytest.fixture
def quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """What the functions log is not shown where a test fails: it is long."""
    yield
    capsys.readouterr()


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
        from localaws.shims.throughput import WriteLimit

        for patch in tables.patches(WriteLimit(math.inf)):
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


@pytest.fixture
def s3_on_loopback() -> Iterator[tuple[S3Server, str]]:
    """A server that breaks its answers, and its URL."""
    with s3_server() as started:
        yield started


@pytest.fixture(scope="module")
def impatient_client() -> Iterator[Callable[..., Any]]:
    """Makes the product's clients for a server at a URL, with a short limit of time and no waits between tries."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed: AWS is not tested")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "nobody")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
        from botocore.session import get_session

        from chalicelib.aws import clients

        session = get_session()
        session.register_component("data_loader", service_models())
        boto3.setup_default_session(botocore_session=session)

        def make(service: str, url: str, read_timeout_s: float = 0.3) -> Any:
            patch.setenv("AWS_ENDPOINT_URL", url)
            made = clients.client(service, read_timeout_s)
            stack.callback(made.close)
            return made

        yield make
