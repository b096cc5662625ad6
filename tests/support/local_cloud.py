"""Fixtures: the local AWS. A conftest that imports them gives them to its tests.

Importing this needs no moto, for some tests beside those that use it run where only the runtime is installed.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from layers.pythons import own
from localaws.errors import DeployFailed, PackagesMissing
from localaws.host import packages
from localaws.host.lambda_host import LambdaHost

TRANSITION_S = 0.2
"""How long event source mappings are in transition where no test looks at it."""
KNOWN_FAULTS = {f"lambda ListLayerVersions: .LayerVersions[].{name} is unknown" for name in ("Content", "LayerArn")}
"""Of moto's answers, where nothing here reads what is wrong."""

if TYPE_CHECKING:
    from localaws.cloud.local_aws import LocalAws


@contextmanager
def skipped_without_an_index() -> Iterator[None]:
    """Skip a test whose deployment needs packages of an index that cannot be reached."""
    try:
        yield
    except DeployFailed as error:
        if "cannot be reached" in str(error):
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="session")
def runtime_packages() -> None:
    """Lambda's runtime client must be installed once, which needs the package index."""
    try:
        packages.install(own())
    except PackagesMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def host(runtime_packages: None) -> Iterator[LambdaHost]:
    with LambdaHost(max_instances=2, async_retry_delays_s=(0.01, 0.01)) as running:
        yield running


@pytest.fixture
def sandboxed(host: LambdaHost) -> LambdaHost:
    """The same host, if its functions run in a sandbox."""
    if reason := host.why_no_sandbox(own()):
        pytest.skip(reason)
    return host


@pytest.fixture
def unconfined(runtime_packages: None) -> Iterator[LambdaHost]:
    """A host without a sandbox, as on a machine that has none."""
    with LambdaHost(max_instances=2, sandbox=False) as running:
        yield running


@pytest.fixture(scope="module")
def cloud(runtime_packages: None) -> Iterator["LocalAws"]:
    """A whole local AWS, which leaves no thread behind."""
    from localaws.cloud.local_aws import LocalAws
    from localaws.shims.limits import Limits

    before = set(threading.enumerate())
    host = LambdaHost(max_instances=2, async_retry_delays_s=(0.01, 0.01))
    faults: set[str] = set()
    with LocalAws(host=host, limits=Limits(transition_s=TRANSITION_S), faults=faults) as running:
        yield running
    assert not faults - KNOWN_FAULTS, sorted(faults - KNOWN_FAULTS)
    assert {thread.name for thread in set(threading.enumerate()) - before if not thread.daemon} == set()
