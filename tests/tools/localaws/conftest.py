"""Fixtures: a host, and a whole local AWS with a client for each service."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from localaws.cloud.local_aws import LocalAws
from localaws.errors import PackagesMissing
from localaws.host import interpreters, packages
from localaws.host.lambda_host import LambdaHost

LIMIT_S = 30
Wait = Callable[[Callable[[], object]], None]


@pytest.fixture(scope="session")
def runtime_packages() -> None:
    """Lambda's runtime client must be installed once, which needs the package index."""
    try:
        packages.install(interpreters.own())
    except PackagesMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def host(runtime_packages: None) -> Iterator[LambdaHost]:
    with LambdaHost(max_instances=2, async_retry_delays_s=(0.01, 0.01)) as running:
        yield running


@pytest.fixture(scope="module")
def cloud(runtime_packages: None) -> Iterator[LocalAws]:
    before = set(threading.enumerate())
    with LocalAws(host=LambdaHost(max_instances=2, async_retry_delays_s=(0.01, 0.01))) as running:
        yield running
    assert {thread.name for thread in set(threading.enumerate()) - before if not thread.daemon} == set()


@pytest.fixture
def wait_until() -> Wait:
    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, "never came true"
            time.sleep(0.02)

    return wait
