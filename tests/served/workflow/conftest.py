"""Fixtures: S3 as a dict, and models that are there or not."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from chalicelib.aws.s3 import Listed
from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.errors import ObjectGone, PayloadTooLarge
from chalicelib.inference.store import ModelStore
from chalicelib.split import Split
from chalicelib.workflow.run import Run
from tests.support import paths

SEVEN = paths.SEVEN.read_bytes()


class FakeObjects:
    """One bucket; `failures` are raised once each, by key."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.failures: dict[str, list[Exception]] = {}
        self.pages = 0

    def read(self, bucket: str, key: str, max_bytes: int) -> bytes:
        self._fail(key)
        if key not in self.kept:
            raise ObjectGone(f"s3://{bucket}/{key} is not there (NoSuchKey)")
        if len(self.kept[key]) > max_bytes:
            raise PayloadTooLarge(f"the object has {len(self.kept[key])} bytes: at most {max_bytes} are read")
        return self.kept[key]

    def page(self, bucket: str, prefix: str, after: str, limit: int) -> list[Listed]:
        self.pages += 1
        keys = sorted(key for key in self.kept if key.startswith(prefix) and key > after)
        return [Listed(key, len(self.kept[key]), "") for key in keys[:limit]]

    def write(self, bucket: str, key: str, chunks: Iterable[bytes], content_type: str) -> None:
        self._fail(key)
        self.kept[key] = b"".join(chunks)

    def lines(self, key: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.kept[key].splitlines()]

    def _fail(self, key: str) -> None:
        if self.failures.get(key):
            raise self.failures[key].pop(0)


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
