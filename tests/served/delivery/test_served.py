"""What the API answers while its model comes from S3, and what a process imports for it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.api.openapi import describe
from chalicelib.api.views import Api
from chalicelib.config import Settings
from chalicelib.delivery.s3_bundle import S3Bundle
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import ColdStart
from tests.support.bundle_server import ACCOUNT, BundleServer, Refusal, bundle_server
from tests.support.bundles import write_bundle
from tests.support.paths import ROOT
from tests.support.requests import FakeRequest, assert_is_error, image_request

SEVEN = (ROOT / "tests/data/seven.png").read_bytes()
DIGITS = ROOT / "chalicelib/models/digits"
URI = "s3://slimception-dev-<account>-models/models/digits/"


@pytest.fixture
def server() -> Iterator[BundleServer]:
    with bundle_server() as running:
        yield running


@pytest.fixture
def cold_start() -> ColdStart:
    return ColdStart()


@pytest.fixture
def store(server, tmp_path, cold_start) -> ModelStore:
    """The digits from S3, another model on disk."""
    local = write_bundle(tmp_path / "local", name="tiny").parent
    settings = Settings(model_dirs=(local,), model_name="digits", model_uri=server.put_bundle(DIGITS))
    assert settings.model_uri is not None
    return ModelStore(settings, cold_start, S3Bundle(settings.model_uri, tmp_path / "tmp", server.access))


@pytest.fixture
def api(store) -> Api:
    return Api(store._settings, store)


def body(response: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.body)
    return found


def assert_contract(name: str, answer: dict[str, Any]) -> None:
    validator = pytest.importorskip("jsonschema", reason="jsonschema is not installed").Draft202012Validator
    contract = json.loads(json.dumps(describe([])))
    validator({**contract, "$ref": f"#/components/schemas/{name}"}).validate(answer)


class TestAnswers:
    def test_a_picture(self, api, cold_start):
        answer = body(api.predict_image(image_request(SEVEN)))
        assert (answer["model"]["name"], answer["predictions"][0]["label"]) == ("digits", "7")
        parts = cold_start.breakdown()
        assert list(parts) == ["fetch_ms", "model_load_ms", "first_inference_ms", "total_ms"]
        assert parts["fetch_ms"] > 0

    def test_health_and_models_say_where_it_comes_from(self, api, server):
        health = body(api.health(FakeRequest(path="/health")))
        assert_contract("Health", health)
        origin = health["origin"]
        etag = server.objects["models/digits/model.json"].etag.strip('"')
        assert origin == {"uri": URI, "etag": etag, "fetch_ms": origin["fetch_ms"]} and origin["fetch_ms"] > 0
        models = body(api.models(FakeRequest(path="/models")))
        assert_contract("Models", models)
        fetched, local = models["models"]
        assert (fetched["name"], fetched["default"], fetched["origin"]) == ("digits", True, origin)
        assert local["name"] == "tiny" and "origin" not in local

    def test_a_bundle_on_disk_of_the_same_name_gives_way(self, server, tmp_path):
        write_bundle(tmp_path / "local", name="digits")
        settings = Settings(model_dirs=(tmp_path / "local",), model_name="digits", model_uri=server.put_bundle(DIGITS))
        assert settings.model_uri is not None
        store = ModelStore(settings, None, S3Bundle(settings.model_uri, tmp_path / "tmp", server.access))
        assert [card["sha256"] for card in store.cards()] == [json.loads((DIGITS / "model.json").read_text())["sha256"]]
        assert len(store.get().labels) == 10

    def test_other_models_answer_without_it(self, api, server):
        server.fault = lambda _: Refusal(403, "AccessDenied")
        answer = body(api.predict_image(image_request(SEVEN, model="tiny")))
        assert answer["model"]["name"] == "tiny"
        assert server.asked == []
        unknown = api.predict_image(image_request(SEVEN, model="nobody"))
        assert "installed: digits, tiny" in assert_is_error(body(unknown), 404)


class TestFailures:
    @pytest.mark.parametrize(
        ("refusal", "sentence"),
        [
            (Refusal(403, "AccessDenied"), "The model cannot be served at the moment; GET /health tells why."),
            (Refusal(404, "NoSuchKey"), "The model cannot be served at the moment; GET /health tells why."),
            (Refusal(503, "SlowDown"), "S3, SQS or DynamoDB cannot be used at the moment; try again."),
        ],
    )
    def test_the_caller_gets_503_and_health_the_reason(self, api, server, refusal, sentence):
        server.fault = lambda _: refusal
        response = api.predict_image(image_request(SEVEN))
        assert response.status_code == 503
        assert assert_is_error(body(response), 503) == sentence
        health = api.health(FakeRequest(path="/health"))
        assert health.status_code == 503 and refusal.code in body(health)["Message"]
        assert ACCOUNT not in health.body and "/tmp" not in health.body
        answer = body(api.models(FakeRequest(path="/models")))
        assert_contract("Models", answer)
        models = answer["models"]
        assert refusal.code in models[0]["error"] and refusal.code in models[0]["origin"]["error"]
        assert server.count("model.json") == (4 if refusal.status == 503 else 1), "the bucket is left alone meanwhile"

    def test_the_log_says_it_once(self, api, server, capsys):
        server.fault = lambda _: Refusal(403, "AccessDenied")
        for _ in range(3):
            api.predict_image(image_request(SEVEN))
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        failed = [line for line in lines if line["event"] == "model_not_fetched"]
        assert [(line["model"], line["uri"]) for line in failed] == [("digits", URI)]
        assert [line["status"] for line in lines if line["event"] == "request"] == [503] * 3


def loaded_by_app(**environment: str) -> set[str]:
    code = "import app, sys; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env=environment
    )
    return set(run.stdout.split())


def test_only_a_process_with_a_bundle_in_s3_imports_what_fetches_it() -> None:
    without, with_one = loaded_by_app(), loaded_by_app(MODEL_URI="s3://bucket/digits/")
    more = {name for name in with_one - without if name.startswith("chalicelib")}
    assert more == {
        "chalicelib.aws.direct",
        "chalicelib.aws.signing",
        "chalicelib.delivery",
        "chalicelib.delivery.parts",
        "chalicelib.delivery.s3_bundle",
        "chalicelib.delivery.wiring",
        "chalicelib.inference.remote",
    }
    assert not with_one & {"boto3", "botocore", "urllib3", "concurrent.futures"}


def test_a_folder_of_its_own_below_tmp(tmp_path, server: BundleServer) -> None:
    """As the app's process has it: keys, endpoint and folder come from the environment."""
    uri = server.put_bundle(DIGITS)
    code = "import app; print(app.runtime.store.get().card.name)"
    access = server.access()
    environment = {
        "MODEL_URI": uri,
        "TMPDIR": str(tmp_path),
        "AWS_ACCESS_KEY_ID": access.key_id,
        "AWS_SECRET_ACCESS_KEY": access.secret_key,
        "AWS_REGION": access.region,
        "AWS_ENDPOINT_URL": server.url,
    }
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=environment)
    assert run.stdout.splitlines()[-1] == "digits", run.stderr
    assert {path.name for path in Path(tmp_path, "models/digits").iterdir()} == {
        "model.json",
        "model.tflite",
        "labels.txt",
    }
