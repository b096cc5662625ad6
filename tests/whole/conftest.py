"""Fixtures: a whole local AWS. Importing this needs no more than the runtime."""

from tests.support.local_cloud import cloud, runtime_packages  # noqa: F401 - fixtures of these tests
