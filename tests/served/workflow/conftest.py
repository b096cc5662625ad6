"""Fixtures: S3 as a dict, and a run."""

import pytest

from chalicelib.split import Split
from chalicelib.workflow.run import Run
from tests.support import paths
from tests.support.fakes import FakeObjects

SEVEN = paths.SEVEN.read_bytes()


@pytest.fixture
def objects() -> FakeObjects:
    return FakeObjects()


@pytest.fixture
def run() -> Run:
    """An A/A test: both arms have the embedded model."""
    return Run("pictures", "workflows/e/x/", Split("e", "digits", "digits", 0.5), 0.3)
