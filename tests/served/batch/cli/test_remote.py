"""The command line's side of a batch on AWS."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib.aws.events import PictureRef
from chalicelib.aws.sqs import Queue
from chalicelib.batch.cli import main as command_line
from chalicelib.batch.cli import remote
from chalicelib.batch.messages import finish_message
from chalicelib.batch.record import Result
from chalicelib.batch.wiring import BatchServices
from chalicelib.config import Settings
from chalicelib.errors import ObjectForbidden, StorageError, UnknownBatch
from chalicelib.inference.store import ModelStore
from tests.served.batch.conftest import KEYS
from tests.served.conftest import BUCKET
from tests.support.fakes import FakeQueue
from tests.support.paths import ROOT

PICTURE = PictureRef(BUCKET, "in/a b.png", batch="b1").to_message()


@pytest.fixture
def services(aws) -> BatchServices:
    """Of a stage whose queues and table exist."""
    for name in ("pictures", "listings", "dead-letters"):
        aws("sqs").create_queue(QueueName=f"slimception-dev-{name}")
    attributes = [{"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in KEYS]
    aws("dynamodb").create_table(
        TableName="slimception-dev-batches",
        KeySchema=KEYS,
        AttributeDefinitions=attributes,
        BillingMode="PAY_PER_REQUEST",
    )
    settings = Settings(batch_prefix="slimception-dev", batch_buckets=(BUCKET,))
    return BatchServices(settings, ModelStore(settings), aws)


def bodies(aws: Any, name: str) -> list[str]:
    url = aws("sqs").get_queue_url(QueueName=f"slimception-dev-{name}")["QueueUrl"]
    messages = aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [message["Body"] for message in messages]


def test_dead_letters_are_listed_and_stay(aws, services):
    queue = services.queue("dead-letters")
    queue.send([PICTURE, finish_message("b1"), "unreadable"])
    listed = list(remote.dead_letters(services))
    assert sorted((letter["queue"], letter["body"]) for letter in listed) == sorted(
        [("pictures", PICTURE), ("listings", finish_message("b1")), ("pictures", "unreadable")]
    )
    assert bodies(aws, "pictures") == []


def test_dead_letters_go_back_where_they_came_from(aws, services):
    services.queue("dead-letters").send([PICTURE, finish_message("b1"), *(f"{n}" for n in range(12))])
    assert remote.redrive(services) == 14
    assert bodies(aws, "listings") == [finish_message("b1")]
    assert PICTURE in bodies(aws, "pictures") + bodies(aws, "pictures")
    assert remote.redrive(services) == 0


@pytest.mark.parametrize(("queue", "body"), [("pictures", finish_message("b1")), ("listings", PICTURE)])
def test_if_sqs_names_the_queue_of_a_dead_letter_its_body_does_not_matter(queue, body):
    """moto names none. Source: ReceiveMessage in the Amazon SQS API reference, DeadLetterQueueSourceArn."""
    arn = f"arn:aws:sqs:us-east-1:123456789012:slimception-dev-{queue}"
    queues = {name: FakeQueue(name) for name in ("pictures", "listings", "dead-letters")}
    receive = queues["dead-letters"].receive
    queues["dead-letters"].receive = lambda seconds: [
        {**message, "Attributes": {"DeadLetterQueueSourceArn": arn}} for message in receive(seconds)
    ]
    stage = SimpleNamespace(queue=queues.__getitem__)
    queues["dead-letters"].send([body])
    assert [letter["queue"] for letter in remote.dead_letters(stage)] == [queue]
    queues["dead-letters"].send([body])
    assert remote.redrive(stage) == 1
    assert [name for name in queues if queues[name].bodies] == [queue]


def test_a_batch_is_watched_to_its_end(services):
    batch_id = services.service.start(f"s3://{BUCKET}/in/")["id"]
    seen = []

    def go_on(_: float) -> None:
        batch = services.table.get(batch_id)
        if batch.state == "listing":
            services.table.advance(batch, "in/a", 1, last=True)
        elif not batch.done:
            services.table.record(batch.id, [Result("in/a", {"error": {"Code": "NotFoundError", "Message": ""}})])
        else:
            services.table.complete(batch)

    ended = remote.watch(services, batch_id, lambda *counts: seen.append(counts), pytest.fail, go_on)
    assert (ended.state, ended.done, ended.failed) == ("complete", 1, 1)
    assert seen == [(0, None, 0), (0, 1, 0), (1, 1, 1), (1, 1, 1)]


def test_a_look_that_fails_is_tried_again_but_not_for_ever(services, monkeypatch):
    batch_id = services.service.start(f"s3://{BUCKET}/in/")["id"]
    waits: list[float] = []

    def fail(_: str) -> None:
        raise StorageError("busy")

    monkeypatch.setattr(services.service, "find", fail)
    with pytest.raises(StorageError):
        remote.watch(services, batch_id, lambda *_: None, pytest.fail, waits.append)
    assert len(waits) == 5


@pytest.fixture
def stalled(services) -> Callable[[int], Any]:
    """Starts a batch that moves no more and fails after some looks; returns what was said meanwhile."""
    batch_id = services.service.start(f"s3://{BUCKET}/in/")["id"]

    def watch(looks: int) -> list[str]:
        said: list[str] = []
        left = iter(range(looks, 0, -1))

        def go_on(_: float) -> None:
            if next(left) == 1:
                services.table.fail(services.table.get(batch_id), {"Code": "NotFoundError", "Message": ""})

        assert remote.watch(services, batch_id, lambda *_: None, said.append, go_on).state == "failed"
        return said

    return watch


@pytest.mark.parametrize(("dead", "lines"), [(2, 2), (0, 0)])
def test_a_batch_that_waits_for_dead_letters_says_so(services, stalled, dead, lines):
    """It would wait for ever, and nobody would know why. Said again now and then, but not at each look."""
    services.queue("dead-letters").send([PICTURE] * dead)
    said = stalled(2 * remote.QUIET_LOOKS + 9)
    assert len(said) == lines
    assert all(line.startswith("2 message(s) failed at every delivery") and "redrive" in line for line in said)


def test_who_may_not_look_at_queues_watches_all_the_same(stalled, monkeypatch):
    def refuse(_: Queue) -> int:
        raise ObjectForbidden("queue slimception-dev-dead-letters: access denied")

    monkeypatch.setattr(Queue, "length", refuse)
    assert stalled(remote.QUIET_LOOKS + 9) == []


def test_an_unknown_id(services):
    with pytest.raises(UnknownBatch):
        remote.watch(services, "none", lambda *_: None, pytest.fail)


class TestCommands:
    @pytest.fixture(autouse=True)
    def of_stage(self, services, monkeypatch):
        monkeypatch.setattr(remote, "services_of", lambda stage, _: services)

    def test_dead_and_redrive(self, services, capsys):
        services.queue("dead-letters").send([PICTURE])
        assert command_line.main(["dead"]) == 0
        assert json.loads(capsys.readouterr().out)["body"] == PICTURE
        assert command_line.main(["redrive"]) == 0
        assert capsys.readouterr().out.startswith(("0 message(s)", "1 message(s)"))

    def test_a_batch_that_fails_is_shown(self, services, capsys, monkeypatch):
        def fail(_: float) -> None:
            batch = services.table.get(started[0])
            services.table.fail(batch, {"Code": "NotFoundError", "Message": f"no object is under s3://{BUCKET}/in/"})

        started: list[str] = []
        start = services.service.start

        def remember(*arguments: Any) -> Any:
            status = start(*arguments)
            started.append(status["id"])
            return status

        monkeypatch.setattr(services.service, "start", remember)
        watch = remote.watch
        monkeypatch.setattr(remote, "watch", lambda p, i, show, say: watch(p, i, show, say, fail))
        assert command_line.main([f"s3://{BUCKET}/in/"]) == 1
        shown = capsys.readouterr()
        assert json.loads(shown.out)["error"]["Code"] == "NotFoundError"
        assert f"watch {started[0]}" in shown.err

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["watch", "none"], "no batch is called 'none'"),
            (["s3://UPPER/in"], "\"source\" is 's3://UPPER/in': expected s3://bucket/prefix"),
            ([f"s3://{BUCKET}"], 'name a longer prefix, or an "output" outside of it'),
            (["s3://pictures/in/", "--out", "out.jsonl"], "\"output\" is 'out.jsonl': expected s3://bucket/prefix"),
        ],
    )
    def test_an_error_is_one_line(self, capsys, arguments, message):
        assert command_line.main(arguments) == 2
        shown = capsys.readouterr().err
        assert message in shown and shown.count("\n") == 1


def test_a_stage_that_is_not_deployed(aws, capsys):
    assert command_line.main(["s3://slimception-none-123456789012-us-east-1/in/", "--stage", "none"]) == 2
    shown = capsys.readouterr().err
    assert "table slimception-none-batches: ResourceNotFoundException (is the stage deployed, in this region?)" in shown


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "NoRegionError (set a region"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "NoCredentialsError (set credentials"),
        ({"AWS_DEFAULT_REGION": "us-east-1", "AWS_PROFILE": "none"}, "ProfileNotFound (AWS_PROFILE is not configured"),
        (
            {
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "a",
                "AWS_SECRET_ACCESS_KEY": "b",
                "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
                "AWS_MAX_ATTEMPTS": "1",
            },
            "EndpointConnectionError (no connection to AWS",
        ),
    ],
)
def test_a_machine_that_is_not_set_up(tmp_path, environment, message):
    pytest.importorskip("boto3", reason="boto3 is not installed")
    nothing = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": str(tmp_path / "no"), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "chalicelib.batch", "s3://pictures/in/"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    run = subprocess.run(
        command, cwd=ROOT, env={**kept, **nothing, **environment}, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 2
    assert message in run.stderr and run.stderr.count("\n") == 1
