"""Fixtures: a whole local AWS, real layers. Importing this needs no more than the runtime."""

from tests.support.layers import arm64, build_real  # noqa: F401 - fixtures of these tests
from tests.support.local_cloud import cloud, runtime_packages  # noqa: F401 - fixtures of these tests
