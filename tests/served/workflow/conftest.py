"""Fixtures: S3 as a dict, and models that are there or not."""

import pytest

from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.inference.store import ModelStore
from chalicelib.split import Split
from chalicelib.workflow.run import Run
from tests.support import paths
from tests.support.fakes import FakeObjects

SEVEN = paths.SEVEN.read_bytes()


@pytest.fixture
def objects() -> FakeObjects:
    return FakeObjects()


@pytest.fixture(scope="session")
def store() -> ModelStore:
    return ModelStore(Settings(model_dirs=(EMBEDDED_MODELS,), num_threads=1))


@pytest.fixture
def run() -> Run:
    """An A/A test: both arms have the embedded model."""
    return Run("pictures", "workflows/e/x/", Split("e", "digits", "digits", 0.5), 0.3)
