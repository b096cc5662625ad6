"""Fixtures: a host of functions."""

from tests.support.local_cloud import host, runtime_packages  # noqa: F401 - fixtures of these tests
