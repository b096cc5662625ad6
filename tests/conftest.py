"""Fixtures: small bundles, the API over them, a browser. Importing this needs no more than the runtime."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client
from hypothesis import HealthCheck, settings

import app
from chalicelib import runtime
from chalicelib.api.views import Api
from chalicelib.config import Settings
from chalicelib.inference.classifier import Classifier
from chalicelib.inference.engine import Engine, find_engine
from chalicelib.inference.registry import load_bundle
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import cold_start
from tests.support.browser import chromium
from tests.support.bundles import write_bundle
from tests.support.paths import ROOT, SEVEN

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")  # on a machine that is busy, even an example of a few microseconds may take 200 ms


@pytest.fixture(scope="session")
def engine() -> Engine:
    return find_engine()


@pytest.fixture
def load(tmp_path: Path, engine: Engine) -> Callable[..., Classifier]:
    """Load a tiny model, its card changed as the arguments say."""
    return lambda model, **changes: Classifier(load_bundle(write_bundle(tmp_path, model, **changes)), engine, 1)


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A folder with one bundle, `channels_float`."""
    write_bundle(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Client]:
    """Serve a folder of bundles through `app`: a new store replaces the process's."""

    def start(models_dir: Path, **settings: Any) -> Client:
        given = Settings(model_dirs=(models_dir,), **settings)
        monkeypatch.setattr(runtime, "api", Api(given, ModelStore(given, cold_start)))
        return Client(app.app, project_dir=str(ROOT))

    return start


@pytest.fixture
def client(serve: Callable[..., Client], models_dir: Path) -> Client:
    return serve(models_dir)


@pytest.fixture
def log_lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """The JSON lines logged since the last call. Fails on a line that is no JSON."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def seven() -> bytes:
    return SEVEN.read_bytes()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; skips where there is none."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real models and pictures."""
    folder = os.environ.get("SLIMCEPTION_TEST_DATA")
    if not folder:
        pytest.skip("SLIMCEPTION_TEST_DATA does not name the folder of real models and pictures")
    return Path(folder)
