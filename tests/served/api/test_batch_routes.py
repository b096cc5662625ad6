"""`POST /batches` and `GET /batches/{id}`: what a request may hold, and what is refused without asking AWS."""

import json
from dataclasses import replace
from typing import get_args

import pytest

import app
from chalicelib.api import views
from chalicelib.api.contract import BATCH
from chalicelib.api.parsing import BatchRequest, parse_batch
from chalicelib.api.schemas import COMPONENTS
from chalicelib.api.views import Api
from chalicelib.aws.urls import S3_PATTERN
from chalicelib.batch.record import BatchState
from chalicelib.batch.service import Service
from chalicelib.config import Settings
from chalicelib.errors import ConfigError, InvalidRequest, StorageError
from chalicelib.inference.store import ModelStore
from tests.support.buckets import ACCOUNT, STAGE
from tests.support.fakes import FakeQueue, FakeTable
from tests.support.requests import FakeRequest, assert_is_error

pytestmark = pytest.mark.usefixtures("parsed_answers")

SOURCE = "s3://pictures/some prefix/ü+%20/"


class FakeServices:
    def __init__(self):
        self.queue = FakeQueue()
        self.service = Service(FakeTable(), self.queue, STAGE)


@pytest.fixture
def services():
    return FakeServices()


@pytest.fixture
def in_lambda(client, models_dir, services, monkeypatch):
    """The client of an installation that takes batches."""
    settings = Settings(model_dirs=(models_dir,), in_lambda=True, batch_prefix="slimception-dev")
    monkeypatch.setattr(app.runtime, "api", Api(settings, ModelStore(settings), services))
    return client


def post(client, body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.http.post("/batches", headers={"Content-Type": "application/json"}, body=data)


def test_a_batch_begins_and_is_described(in_lambda, services):
    response = post(in_lambda, {"source": SOURCE, "model": "channels_float", "top_k": 2})
    assert (response.status_code, response.json_body["state"]) == (202, "listing")
    assert response.json_body["source"] == SOURCE
    batch_id = response.json_body["id"]
    assert [json.loads(body) for body in services.queue.bodies] == [{"do": "list", "batch": batch_id}]
    found = in_lambda.http.get(f"/batches/{batch_id}")
    assert (found.status_code, found.json_body["id"]) == (200, batch_id)
    assert set(found.json_body) == set(COMPONENTS["Batch"]["properties"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        ([], 400),
        ({}, 400),
        ({"source": None}, 400),
        ({"source": "s3://UPPER/x"}, 400),
        ({"source": "s3://pictures"}, 400),
        ({"source": SOURCE, "output": "s3://pictures/some prefix/ü+%20/out"}, 400),
        ({"source": SOURCE, "output": 5}, 400),
        ({"source": SOURCE, "top_k": 4}, 400),
        ({"source": SOURCE, "model": "none"}, 404),
        ({"source": SOURCE, "other": 1}, 400),
    ],
)
def test_a_refusal(in_lambda, services, body, status):
    response = post(in_lambda, body)
    assert response.status_code == status
    assert assert_is_error(response.json_body, status)
    assert services.queue.bodies == []


@pytest.mark.parametrize("field", ["source", "output"])
@pytest.mark.parametrize("bucket", ["slimception-dev-evil", "slimception-dev-2-123456789012-eu-west-1"])
def test_a_strangers_bucket(in_lambda, services, field, bucket):
    response = post(in_lambda, {"source": SOURCE, field: f"s3://{bucket}/results/"})
    assert response.status_code == 403
    message = assert_is_error(response.json_body, 403)
    assert f"s3://{bucket} is not a bucket of this stage: expected one of its account whose name" in message
    assert services.queue.bodies == []


def test_who_may_call_the_routes_of_batches():
    def access(**env: str) -> bool:
        return views.batch_authorizer(Settings.from_env(env)) is not None

    assert access(BATCH_PREFIX="slimception-dev")
    assert access(BATCH_PREFIX="slimception-dev", BATCHES="iam")
    assert not access(BATCH_PREFIX="slimception-dev", BATCHES="open")
    assert not access(), "there are no batches"
    with pytest.raises(ConfigError, match="BATCHES='all': expected one of iam, open, off"):
        Settings.from_env({"BATCHES": "all"})


def test_switched_off(client, models_dir, services, monkeypatch):
    settings = Settings(model_dirs=(models_dir,), in_lambda=True, batch_prefix="slimception-dev", batches="off")
    monkeypatch.setattr(app.runtime, "api", Api(settings, ModelStore(settings), services))
    for response in (post(client, {"source": SOURCE}), client.http.get("/batches/none")):
        assert (response.status_code, "BATCHES is off" in response.json_body["Message"]) == (404, True)
    assert "/batches" not in client.http.get("/openapi.json").json_body["paths"]


def test_a_stranger_sees_neither_bucket_nor_account():
    bucket, output = f"slimception-dev-{ACCOUNT}-eu-west-1", f"slimception-dev-{ACCOUNT}-out"
    table, queue = FakeTable(), FakeQueue()
    service = Service(table, queue, STAGE, open_to_all=True)
    started = service.start(f"s3://{bucket}/in/", output=f"s3://{output}/out/")
    assert started["source"] == "in/"
    batch = table.batches[started["id"]]
    table.fail(batch, {"Code": "NotFoundError", "Message": f"no object is under s3://{bucket}/in/, s3://{output}: x"})
    failed = service.describe(batch.id)
    assert failed["error"]["Message"] == "no object is under in/, the bucket: x"
    table.batches[batch.id] = replace(batch, state="complete")
    complete = service.describe(batch.id)
    assert (complete["results"], complete["summary"]) == ("out/results.jsonl", "out/summary.json")
    assert ACCOUNT not in json.dumps([started, failed, complete])
    named = Service(table, queue, STAGE).describe(batch.id)
    assert named["results"] == f"s3://{output}/out/results.jsonl"


@pytest.mark.parametrize(
    ("content_type", "body", "status", "message"),
    [
        ("text/plain", b"{}", 415, "Content-Type is 'text/plain': POST /batches takes application/json"),
        ("application/json", b"x" * 1001, 413, "the body has 1001 bytes: at most 1000 are accepted"),
    ],
)
def test_a_refused_body_is_answered_in_the_words_of_this_route(models_dir, content_type, body, status, message):
    settings = Settings((models_dir,), in_lambda=True, batch_prefix="slimception-dev", max_body_bytes=1000)
    response = Api(settings, ModelStore(settings)).start_batch(FakeRequest(body, {"content-type": content_type}))
    assert (response.status_code, response.body["Message"]) == (status, message)


def test_a_malformed_body_is_refused_before_a_client_of_aws_is_made(models_dir):
    class NoServices:
        @property
        def service(self):
            raise AssertionError("the body was to be looked at first")

    settings = Settings((models_dir,), in_lambda=True, batch_prefix="slimception-dev")
    api = Api(settings, ModelStore(settings), NoServices())
    malformed = [
        {"source": 5},
        {"source": "nonsense"},
        {"source": SOURCE, "output": "s3://UPPER/x"},
        {"source": SOURCE, "top_k": 9},
    ]
    for body in (b"", b"[1]", *(json.dumps(fields).encode() for fields in malformed)):
        response = api.start_batch(FakeRequest(body, {"content-type": "application/json"}, path="/batches"))
        assert response.status_code == 400


def test_an_unknown_id(in_lambda):
    response = in_lambda.http.get("/batches/none")
    assert response.status_code == 404
    assert "no batch is called 'none'" in assert_is_error(response.json_body, 404)


def test_storage_that_does_not_answer_shows_nothing_of_itself(in_lambda, services, monkeypatch):
    def fail(*_):
        raise StorageError("table slimception-dev-batches: ThrottlingException")

    monkeypatch.setattr(services.service, "start", fail)
    response = post(in_lambda, {"source": SOURCE})
    assert (response.status_code, response.json_body["Code"]) == (503, "ServiceUnavailableError")
    assert response.json_body["Message"] == "S3, SQS or DynamoDB cannot be used at the moment; try again."


def test_where_no_function_is_fed_there_are_no_batches(client):
    for response in (post(client, {"source": SOURCE}), client.http.get("/batches/none")):
        assert response.status_code == 404
        assert "batches are not available" in response.json_body["Message"]


def test_the_contract_has_batches_only_where_there_are_any(client, in_lambda, models_dir, monkeypatch):
    assert "/batches" in in_lambda.http.get("/openapi.json").json_body["paths"]
    settings = Settings(model_dirs=(models_dir,), batch_prefix="slimception-dev")
    monkeypatch.setattr(app.runtime, "api", Api(settings, ModelStore(settings)))
    assert "/batches" not in client.http.get("/openapi.json").json_body["paths"]


@pytest.mark.parametrize("access", ["iam", "open"])
def test_the_contract_says_that_a_call_is_signed(client, models_dir, monkeypatch, access):
    settings = Settings(model_dirs=(models_dir,), in_lambda=True, batch_prefix="slimception-dev", batches=access)
    monkeypatch.setattr(app.runtime, "api", Api(settings, ModelStore(settings)))
    contract = client.http.get("/openapi.json").json_body
    operations = [contract["paths"]["/batches"]["post"], contract["paths"]["/batches/{batch_id}"]["get"]]
    wanted = [{"sigv4": []}] if access == "iam" else None
    assert [operation.get("security") for operation in operations] == [wanted] * 2
    assert set(contract["components"].get("securitySchemes", {})) == ({"sigv4"} if access == "iam" else set())
    assert "security" not in contract["paths"]["/predict"]["post"]


def test_contract_and_service_have_one_pattern_of_an_s3_url():
    assert {BATCH[name].schema["pattern"] for name in ("source", "output")} == {S3_PATTERN}


def test_the_contract_has_every_state():
    assert tuple(COMPONENTS["Batch"]["properties"]["state"]["enum"]) == get_args(BatchState)


def test_parsing():
    body = json.dumps({"source": SOURCE, "top_k": 2, "model": "m", "output": "s3://out-put"}).encode()
    assert parse_batch(body) == BatchRequest(SOURCE, 2, "m", "s3://out-put")
    with pytest.raises(InvalidRequest, match="source"):
        parse_batch(b'{"top_k": 2}')


def test_settings():
    settings = Settings.from_env(
        {"BATCH_PREFIX": "p", "MAX_OBJECT_BYTES": "5", "CANARY_MINUTES": "3", "CANARY_URL": "u"}
    )
    assert (settings.batch_prefix, settings.max_object_bytes) == ("p", 5)
    assert (settings.canary_minutes, settings.canary_url, settings.takes_batches) == (3, "u", False)
    assert Settings.from_env({"BATCH_PREFIX": "p", "AWS_LAMBDA_FUNCTION_NAME": "f"}).takes_batches
    assert not Settings.from_env({"AWS_LAMBDA_FUNCTION_NAME": "f"}).takes_batches
