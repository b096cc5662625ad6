"""Fixtures: a host, a whole local AWS, and waiting."""

import time
from collections.abc import Callable

import pytest

from tests.support.layers import arm64  # noqa: F401 - a fixture of these tests
from tests.support.local_cloud import (  # noqa: F401 - fixtures of these tests
    cloud,
    host,
    runtime_packages,
    sandboxed,
    unconfined,
)

LIMIT_S = 30
Wait = Callable[[Callable[[], object]], None]


@pytest.fixture
def wait_until() -> Wait:
    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, "never came true"
            time.sleep(0.02)

    return wait
