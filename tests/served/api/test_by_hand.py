"""Every request made by hand gets its status, as an event of API Gateway through the real app."""

import json

import pytest

import app
from benchmarks.hostile.requests import REQUESTS, Sent
from chalicelib import runtime
from chalicelib.api.views import Api
from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.inference.store import ModelStore

SETTINGS = Settings(model_dirs=(EMBEDDED_MODELS,), num_threads=1)
STORE = ModelStore(SETTINGS)


@pytest.mark.parametrize("sent", REQUESTS, ids=lambda sent: sent.name.encode("ascii", "replace").decode()[:60])
def test_its_status(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "api", Api(SETTINGS, STORE))
    response = app.app(json.loads(json.dumps(sent.event)), None)
    assert response["statusCode"] == sent.status, response["body"][:300]
    if response["body"] is None:
        assert sent.event["requestContext"]["httpMethod"] == "HEAD"
    elif sent.status != 200:
        assert set(json.loads(response["body"])) >= {"Code", "Message"}
