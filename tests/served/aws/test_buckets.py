"""Only buckets of the stage and of its account: what is refused before S3 is asked, and what S3 is to compare."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

import app
from chalicelib.aws.buckets import Buckets, own_buckets
from chalicelib.aws.s3 import PART_BYTES, Objects
from chalicelib.batch.wiring import BatchServices
from chalicelib.config import Settings
from chalicelib.errors import ConfigError, ObjectForbidden
from chalicelib.inference.store import ModelStore
from chalicelib.workflow.wiring import WorkflowServices
from tests.support.buckets import ACCOUNT

OWN = f"slimception-dev-{ACCOUNT}-eu-west-1"
FOREIGN = [
    "slimception-dev-evil",
    "slimception-dev-2-123456789012-eu-west-1",
    "slimception-dev-210987654321-eu-west-1",
    "slimception-dev-123456789012",
    "slimception-prod-123456789012-eu-west-1",
    "my-slimception-dev-123456789012-x",
]
ARN = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:slimception-dev-worker"
BUCKETS = Buckets(ACCOUNT, "slimception-dev", ("photos",))
DEPLOYED = BUCKETS._replace(region="eu-west-1")
"""As a function knows them, by its ARN."""


def no_client(service: str) -> Any:
    raise AssertionError(f"{service} was to be left alone")


class NoS3:
    def __getattr__(self, name: str) -> Any:
        return lambda **_: no_client(name)


@pytest.mark.parametrize("bucket", [OWN, f"{OWN}-more", "photos"])
def test_a_bucket_of_the_stage(bucket):
    BUCKETS.check(bucket)


@pytest.mark.parametrize("bucket", FOREIGN)
def test_any_other_is_refused_before_s3_is_asked(bucket):
    objects = Objects(NoS3(), BUCKETS)
    calls = [
        lambda: objects.read(bucket, "k", 1),
        lambda: objects.page(bucket, "", "", 1),
        lambda: objects.write(bucket, "k", [b"x"], "text/x"),
    ]
    for call in calls:
        with pytest.raises(ObjectForbidden, match=r"begins with slimception-dev-<account>-, or one") as refused:
            call()
        assert ACCOUNT not in str(refused.value).replace(bucket, "")


@pytest.fixture
def sent(aws) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """The operations and parameters that S3's client was given."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        assert "ExpectedBucketOwner" in model.input_shape.members, model.name
        calls.append((model.name, dict(params)))

    aws("s3").create_bucket(Bucket=OWN)
    aws("s3").meta.events.register("provide-client-params.s3", note)
    yield calls
    aws("s3").meta.events.unregister("provide-client-params.s3", note)


def test_every_call_of_s3_names_the_owner_that_it_expects(aws, sent):
    objects = Objects(aws("s3"), BUCKETS)

    def breaks_off() -> Iterator[bytes]:
        yield from [b"x" * PART_BYTES] * 2
        raise ValueError

    objects.write(OWN, "small", [b"x"], "text/x")
    objects.write(OWN, "large", [b"x" * PART_BYTES] * 3, "text/x")
    with pytest.raises(ValueError):
        objects.write(OWN, "broken", (chunk for chunks in ([b"x" * PART_BYTES], breaks_off()) for chunk in chunks), "a")
    objects.read(OWN, "small", 1)
    objects.page(OWN, "", "", 2)
    assert {name for name, _ in sent} == {
        "PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload",
        "GetObject", "ListObjectsV2",
    }  # fmt: skip
    assert {params.get("ExpectedBucketOwner") for _, params in sent} == {ACCOUNT}


def test_a_function_knows_its_account_by_its_arn_and_asks_nobody():
    settings = Settings(batch_prefix="slimception-dev", batch_buckets=("photos",))
    assert own_buckets(settings, f"{ARN}:live", no_client) == DEPLOYED
    services = BatchServices(settings, ModelStore(settings), lambda service: {"s3": None}[service])
    services.function_arn = ARN
    assert (services.buckets, services.objects._buckets) == (DEPLOYED, DEPLOYED)
    assert (DEPLOYED.home, BUCKETS.home) == (OWN, None)


def test_the_workflow_has_the_same_buckets(aws):
    workflow = WorkflowServices(Settings(batch_prefix="slimception-dev", batch_buckets=("photos",)), None)
    workflow.function_arn = ARN
    assert workflow.objects._buckets == DEPLOYED


def test_on_a_users_machine_sts_names_the_account(aws):
    assert own_buckets(Settings(batch_prefix="slimception-dev"), None, aws).account == ACCOUNT


def test_without_a_prefix_no_bucket_is_the_stages():
    with pytest.raises(ConfigError, match="BATCH_PREFIX is not set"):
        own_buckets(Settings(), ARN, no_client)


class Context:
    invoked_function_arn = ARN

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.mark.parametrize("event", [{"Records": []}, {"state": {}}], ids=["lister", "plan"])
def test_every_handler_notes_the_functions_arn_first(monkeypatch, event):
    """Nothing is done with these events: one has no record, the other no field."""
    for services in (app.runtime.batch, app.runtime.workflow):
        monkeypatch.setattr(services, "function_arn", None)
    monkeypatch.setitem(app.runtime.batch.__dict__, "lister", type("Nobody", (), {"work": lambda *_: None})())
    planner = type("Nobody", (), {"plan": lambda *_: {}})()
    monkeypatch.setitem(app.runtime.workflow.__dict__, "planner", planner)
    (app.lister if "Records" in event else app.plan)(event, Context())
    assert app.runtime.batch.function_arn == app.runtime.workflow.function_arn == ARN


def test_a_request_notes_it_too(client, monkeypatch):
    monkeypatch.setattr(app.runtime.batch, "function_arn", None)
    event = {
        "requestContext": {"resourcePath": "/health", "httpMethod": "GET", "path": "/health"},
        "headers": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "body": None,
        "isBase64Encoded": False,
        "stageVariables": None,
    }
    assert app.app(event, Context())["statusCode"] == 200
    assert app.runtime.batch.function_arn == ARN


def test_a_message_of_a_foreign_bucket_gets_a_refusal_as_its_result():
    from chalicelib.statuses import refusal

    with pytest.raises(ObjectForbidden) as refused:
        BUCKETS.check("slimception-dev-evil")
    assert refusal(refused.value)["error"]["Code"] == "ForbiddenError"
    assert json.dumps(refusal(refused.value)).count("slimception-dev-evil") == 1
