"""The deployed artefact on this machine's AWS: queues, mappings, notification and functions as they are deployed."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from benchmarks.batch import proof
from chalicelib.aws.events import PictureRef
from chalicelib.batch.cli import remote
from chalicelib.batch.messages import close_message
from chalicelib.batch.wiring import BatchServices
from chalicelib.config import Settings
from chalicelib.inference.store import ModelStore
from tests.support import api
from tests.support.clients import clients_of
from tests.support.local_cloud import skipped_without_an_index

LIMIT_S = 240
"""When a test gives up: far more than a busy machine needs, with a first try that failed."""
VISIBLE_AFTER_S = 24
"""Soon, so that the messages of killed functions come again soon."""
OWN = "s3://slimception-dev-123456789012-us-east-1"
ACCEPTED = "expected one of its account whose name begins with slimception-dev-<account>-"
WORKER = "slimception-dev-worker"


@pytest.fixture(scope="module")
def deployed(cloud):
    with skipped_without_an_index():
        deployed = proof.deploy(cloud, lambda _: None)
    with clients_of(cloud) as clients:
        for name in ("pictures", "listings"):
            visible_after(clients, name, VISIBLE_AFTER_S)
    return deployed


@pytest.fixture(scope="module")
def aws(cloud, deployed):
    with clients_of(cloud) as clients:
        yield clients


@pytest.fixture(scope="module")
def bucket(aws) -> str:
    name: str = aws("s3").list_buckets()["Buckets"][0]["Name"]
    return name


@pytest.fixture
def services(aws) -> BatchServices:
    settings = Settings(batch_prefix="slimception-dev")
    return BatchServices(settings, ModelStore(settings), aws)


@pytest.fixture
def ask(cloud, deployed) -> Callable[..., tuple[int, dict[str, Any]]]:
    return proof.client_of(cloud, deployed).ask


@pytest.fixture
def wait_for(cloud) -> Callable[[Callable[[], Any]], Any]:
    """Waits until a condition is true; one that never is shows what the functions logged."""
    return partial(api.wait_for, shown=lambda: f"; the functions' logs:\n{logs(cloud)}")


def logs(cloud) -> str:
    return "\n".join(path.read_text()[-4000:] for path in sorted(cloud.host.folder.glob("*.log")))


def visible_after(aws, name: str, seconds: int) -> None:
    url = aws("sqs").get_queue_url(QueueName=f"slimception-dev-{name}")["QueueUrl"]
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})


def test_what_is_deployed(aws):
    mappings = {
        m["EventSourceArn"].rpartition(":")[2]: m
        for m in aws("lambda").list_event_source_mappings()["EventSourceMappings"]
    }
    assert mappings["slimception-dev-pictures"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    url = aws("sqs").get_queue_url(QueueName="slimception-dev-pictures")["QueueUrl"]
    redrive = json.loads(
        aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["RedrivePolicy"]
    )
    assert (redrive["deadLetterTargetArn"].rpartition(":")[2], redrive["maxReceiveCount"]) == (
        "slimception-dev-dead-letters",
        5,
    )


@pytest.mark.parametrize("key", ["a b+c%.png", "ünï 日本 🐈.png", "%2B literally.png"])
def test_a_picture_dropped_under_incoming(aws, bucket, services, seven, wait_for, key):
    aws("s3").put_object(Bucket=bucket, Key=f"incoming/{key}", Body=seven)
    day = time.strftime("incoming-%Y-%m-%d", time.gmtime())

    def found():
        return [result for result in services.table.results(day) if result.key == f"incoming/{key}"]

    (result,) = wait_for(found)
    assert result.answer["predictions"][0]["label"] == "7"
    assert services.table.get(day).state == "open"


def test_incoming_of_two_days_gives_two_files(aws, bucket, services, seven, wait_for):
    """S3 says when each picture was uploaded; the schedule's message then comes, as EventBridge sends it."""
    queues = {name: services.queue(name) for name in ("pictures", "listings")}
    days = [(datetime.now(UTC) - timedelta(days=back)).date().isoformat() for back in (3, 2)]
    for number, day in enumerate(days):
        key = f"earlier/{number}.png"  # not under incoming/, where the upload itself would be classified, today
        aws("s3").put_object(Bucket=bucket, Key=key, Body=seven)
        ref = PictureRef(bucket, key, len(seven), f"e{number}", f"{day}T12:00:00.000Z")
        queues["pictures"].send([ref.to_message()])
    for day in days:
        wait_for(lambda day=day: (batch := services.table.get(f"incoming-{day}")) and batch.done == 1)
    queues["listings"].send([close_message()])
    for number, day in enumerate(days):
        wait_for(lambda day=day: services.table.get(f"incoming-{day}").state == "complete")
        body = aws("s3").get_object(Bucket=bucket, Key=f"results/incoming-{day}/results.jsonl")["Body"]
        [row] = [json.loads(line) for line in body.read().splitlines()]
        assert (row["key"], row["predictions"][0]["label"]) == (f"earlier/{number}.png", "7")


@pytest.mark.parametrize(
    ("path", "body"), [("batches", {"source": f"{OWN}/in/"}), ("batches/incoming-2026-01-31", None)]
)
def test_a_stranger_is_refused_before_the_function_runs(cloud, deployed, path, body):
    answer = proof.client_of(cloud, deployed).ask(path, body, signed=False)
    assert answer == (403, {"message": "Missing Authentication Token"})


def test_what_is_dropped_elsewhere_starts_nothing(aws, bucket, services, seven):
    aws("s3").put_object(Bucket=bucket, Key="elsewhere/a.png", Body=seven)
    url = aws("sqs").get_queue_url(QueueName="slimception-dev-pictures")["QueueUrl"]
    counts = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("batches/none", None, 404, "no batch is called 'none'"),
        ("batches", {}, 400, 'the field "source" is missing'),
        ("batches", {"source": "pictures/"}, 400, "expected s3://bucket/prefix"),
        ("batches", {"source": 5}, 400, '"source" is 5'),
        ("batches", {"source": f"{OWN}/in/", "top_k": 11}, 400, "this model has 10 classes"),
        ("batches", {"source": f"{OWN}/in/", "model": "none"}, 404, "no model is called 'none'"),
        ("batches", {"source": f"{OWN}/in/", "output": f"{OWN}/in/out/"}, 400, "inside of the"),
        ("batches", {"source": f"{OWN}/in/", "output": "s3://slimception-dev-evil/x/"}, 403, ACCEPTED),
        ("batches", {"source": "s3://slimception-dev-evil/in/"}, 403, ACCEPTED),
        ("batches", {"source": "s3://slimception-dev-2-123456789012-us-east-1/in/"}, 403, ACCEPTED),
        ("batches", {"source": "s3://pictures/in/", "colour": 1}, 400, "unknown field"),
    ],
)
def test_a_refusal(ask, path, body, status, message):
    found, refused = ask(path, body)
    assert (found, message in refused["Message"]) == (status, True), refused


@pytest.mark.parametrize(
    ("source", "message"),
    [("s3://{bucket}/nothing here/", "no object is under"), ("s3://{bucket}-2/in/", "NoSuchBucket|AccessDenied")],
)
def test_a_source_without_pictures(ask, bucket, wait_for, source, message):
    code, status = ask("batches", {"source": source.format(bucket=bucket)})
    assert (code, status["state"]) == (202, "listing")
    ended = wait_for(lambda: (now := ask(f"batches/{status['id']}")[1])["state"] == "failed" and now)
    assert re.search(
        message, ended["error"]["Message"]
    )  # a bucket that is not there belongs to no account: AccessDenied


def test_a_model_that_does_not_load_for_a_while(aws, ask, bucket, services, seven, wait_for, monkeypatch):
    """Every message fails three times and waits in the dead-letter queue, and `watch` says so; put back, all are
    answered.
    """
    monkeypatch.setattr(remote, "QUIET_LOOKS", 1)
    for number in range(12):
        aws("s3").put_object(Bucket=bucket, Key=f"while/{number}.png", Body=seven)
    variables = aws("lambda").get_function_configuration(FunctionName=WORKER)["Environment"]["Variables"]
    broken = {"Variables": {**variables, "MODEL_NAME": "absent"}}
    aws("lambda").update_function_configuration(FunctionName=WORKER, Environment=broken)
    visible_after(aws, "pictures", 1)
    try:
        _, status = ask("batches", {"source": f"s3://{bucket}/while/"})
        wait_for(lambda: services.queue("dead-letters").length() == 12)
        waiting = ask(f"batches/{status['id']}")[1]
        assert (waiting["state"], waiting["total"], waiting["done"]) == ("running", 12, 0)
        said, deadline = [], time.monotonic() + LIMIT_S

        def mend(line: str) -> None:
            said.append(line)
            visible_after(aws, "pictures", VISIBLE_AFTER_S)
            aws("lambda").update_function_configuration(FunctionName=WORKER, Environment={"Variables": variables})
            assert remote.redrive(services) == 12

        def wait(_: float) -> None:
            assert time.monotonic() < deadline, "never completes"
            time.sleep(0.2)

        ended = remote.watch(services, status["id"], lambda *_: None, mend, wait)
    finally:
        visible_after(aws, "pictures", VISIBLE_AFTER_S)
    assert [line.partition(" ")[0] for line in said] == ["12"]
    assert (ended.state, ended.done, ended.failed) == ("complete", 12, 0)


def test_ten_times_twenty_pictures_with_duplicates_and_kills(cloud, deployed, monkeypatch):
    """The proof, small; `python -m benchmarks.batch.proof` is the large one."""
    monkeypatch.setattr(proof, "KILL_EVERY_S", (2.0, 4.0))
    said: list[str] = []
    assert proof.Proof(cloud, 200, 1, said.append).run(deployed) == [], said
