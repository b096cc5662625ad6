"""Each call of AWS fails once, in turn: the job still ends with the same result, nothing lost and nothing doubled."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.aws.s3 import Objects
from chalicelib.aws.sqs import Queue
from chalicelib.batch.record import COMPLETE
from chalicelib.config import Settings
from chalicelib.errors import StorageError
from chalicelib.workflow.classify import GroupClassifier
from chalicelib.workflow.plan import Planner
from chalicelib.workflow.reporter import Reporter
from tests.served.batch.conftest import moto_table  # noqa: F401
from tests.served.conftest import BUCKET
from tests.support.batch_functions import TRIES, BatchFunctions
from tests.support.faults import KINDS, Faults, minute

PICTURES = 3
MAX_BYTES = 100_000


pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(params=KINDS)
def faults(request, aws):
    found = Faults(request.param)
    found.over(aws, "s3", "sqs", "dynamodb")
    return found


@pytest.fixture
def bucket(aws, seven):
    aws("s3").create_bucket(Bucket=BUCKET)
    for number in range(PICTURES - 1):
        aws("s3").put_object(Bucket=BUCKET, Key=f"in/{number}.png", Body=seven)
    aws("s3").put_object(Bucket=BUCKET, Key="in/broken.png", Body=seven[:60])
    return BUCKET


def test_a_batch(aws, faults, bucket, moto_table, digits):  # noqa: F811
    urls = {name: aws("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("listings", "pictures")}
    queues = {name: Queue(aws("sqs"), name) for name in urls}

    def receive(name: str) -> list[dict[str, Any]]:
        found = aws("sqs").receive_message(QueueUrl=urls[name], MaxNumberOfMessages=1).get("Messages", [])
        for message in found:
            aws("sqs").delete_message(QueueUrl=urls[name], ReceiptHandle=message["ReceiptHandle"])
        return found

    functions = BatchFunctions(Objects(aws("s3")), moto_table, queues, digits, receive, page=2)

    def job(at: int | None) -> list[dict[str, Any]]:
        faults.begin(None)
        status = functions.service.start(f"s3://{bucket}/in/")
        faults.begin(at)
        functions.run(faults.paused)
        calls = faults.calls
        faults.begin(None)
        batch = functions.table.get(status["id"])
        assert (batch.state, batch.total, batch.done, batch.failed) == (COMPLETE, PICTURES, PICTURES, 1)
        faults.calls = calls
        return rows_at(functions.objects, f"{batch.output_prefix}results.jsonl")

    clean = job(None)
    counted = Counter(faults.calls)
    assert len(clean) == PICTURES and set(counted) >= {
        "s3.ListObjectsV2", "s3.GetObject", "s3.PutObject", "sqs.SendMessageBatch", "sqs.GetQueueUrl",
        "dynamodb.Query", "dynamodb.UpdateItem", "dynamodb.TransactWriteItems",
    }  # fmt: skip
    for at in range(counted.total()):
        assert job(at) == clean, (at, faults.calls[at])  # the call by its name


def test_a_workflow(aws, faults, bucket, digits):
    objects = Objects(aws("s3"))
    planner, reporter = Planner(digits, objects, page=2), Reporter(objects, Settings(memory_mb=1769))
    classifier = GroupClassifier(digits, objects, MAX_BYTES)
    labels = "key,label\n" + "".join(f"in/{number}.png,7\n" for number in range(PICTURES - 1))
    aws("s3").put_object(Bucket=bucket, Key="labels.csv", Body=labels.encode())
    given = {
        "experiment": "e", "models": ["digits", "digits"], "source": f"s3://{bucket}/in/", "group": 2,
        "labels": f"s3://{bucket}/labels.csv", "shadow": 1.0,
    }  # fmt: skip

    def job(at: int | None) -> tuple[Any, Any]:
        faults.begin(at)
        plan = tried(lambda: planner.plan({"execution": "x", "state": given}, minute))
        for group in range(plan["listing"]["groups"]):
            tried(lambda group=group: classifier.work({"run": plan["run"], "group": group}))
        answer = tried(lambda: reporter.report({"state": plan}))
        calls = faults.calls
        faults.begin(None)
        prefix = plan["run"]["prefix"]
        rows = [row for g in range(plan["listing"]["groups"]) for row in rows_at(objects, f"{prefix}rows/{g:06}.jsonl")]
        faults.calls = calls
        return answer, [{name: value for name, value in row.items() if not name.endswith("_ms")} for row in rows]

    clean = job(None)
    counted = Counter(faults.calls)
    assert clean[0]["counts"]["images"] == len(clean[1]) == PICTURES
    assert set(counted) == {"s3.ListObjectsV2", "s3.GetObject", "s3.PutObject"}
    for at in range(counted.total()):
        assert job(at) == clean, (at, faults.calls[at])  # the call by its name


def tried(call: Callable[[], Any]) -> Any:
    """As a state that retries StorageError; any other error ends the test."""
    for _ in range(TRIES - 1):
        try:
            return call()
        except StorageError:
            continue
    return call()


def rows_at(objects: Objects, key: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in objects.read(BUCKET, key, 10**6).splitlines()]
