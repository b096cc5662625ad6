"""An empty AWS account in this process, by moto."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def empty_account(monkeypatch: pytest.MonkeyPatch, region: str) -> Iterator[None]:
    """Stands for AWS; the environment names this account alone. Skips where only the runtime is installed."""
    moto = pytest.importorskip("moto", reason="moto is not installed: AWS is not tested")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "moto")
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    with moto.mock_aws():
        yield
