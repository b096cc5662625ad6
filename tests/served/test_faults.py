"""Each call of AWS fails once, in turn: the job still ends with the same result, nothing lost and nothing doubled."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.aws.s3 import Objects
from chalicelib.aws.sqs import Queue
from chalicelib.batch.listing import Lister
from chalicelib.batch.record import COMPLETE
from chalicelib.batch.service import Service
from chalicelib.batch.worker import Worker
from chalicelib.config import Settings
from chalicelib.errors import StorageError
from chalicelib.workflow.classify import GroupClassifier
from chalicelib.workflow.plan import Planner
from chalicelib.workflow.reporter import Reporter
from tests.served.batch.conftest import moto_table  # noqa: F401
from tests.served.conftest import BUCKET
from tests.support.faults import KINDS, Faults

PICTURES = 4
TRIES = 3
"""Of a message, by its queue, and at least of a state of the workflow."""
MAX_BYTES = 100_000


def minute() -> float:
    return 60_000.0


@pytest.fixture(autouse=True)
def quiet(capsys):
    yield
    capsys.readouterr()


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


class Deployment:
    """The batch's functions over moto, and the queues' deliveries."""

    def __init__(self, aws: Callable[[str], Any], table: Any, store: Any) -> None:
        self._sqs = aws("sqs")
        for name in ("pictures", "listings"):
            self._sqs.create_queue(QueueName=name)
        self.objects, self.table = Objects(aws("s3")), table
        self.pictures, self.listings = Queue(aws("sqs"), "pictures"), Queue(aws("sqs"), "listings")
        self.service = Service(table, self.listings)
        self._lister = Lister(self.objects, table, self.pictures, self.listings, page=2)
        self._worker = Worker(store, self.objects, table, self.pictures, self.listings, MAX_BYTES)

    def run(self, events: Any) -> None:
        """Deliver messages until none is left; one that fails comes again, as often as its queue allows."""
        waiting: list[tuple[str, dict[str, Any], int]] = []
        while waiting or (waiting := self._received(events)):
            name, record, receives = waiting.pop(0)
            assert receives <= TRIES, "a dead letter"
            record["attributes"] = {"ApproximateReceiveCount": str(receives)}
            try:
                if name == "listings":
                    self._lister.work({"Records": [record]}, minute)
                elif self._worker.work({"Records": [record]}, minute)["batchItemFailures"]:
                    waiting.append((name, record, receives + 1))
            except StorageError:
                waiting.append((name, record, receives + 1))

    def _received(self, faults: Faults) -> list[tuple[str, dict[str, Any], int]]:
        at, faults.at = faults.at, None  # Lambda receives and deletes, not the functions
        calls = len(faults.calls)
        found = []
        for name in ("listings", "pictures"):
            url = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]
            for message in self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                record = {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                }
                found.append((name, record, 1))
        faults.at, faults.calls = at, faults.calls[:calls]
        return found


def test_a_batch(aws, faults, bucket, moto_table, digits):  # noqa: F811
    deployment = Deployment(aws, moto_table, digits)

    def job(at: int | None) -> list[dict[str, Any]]:
        faults.begin(None)
        status = deployment.service.start(f"s3://{bucket}/in/")
        faults.begin(at)
        deployment.run(faults)
        calls = faults.calls
        faults.begin(None)
        batch = deployment.table.get(status["id"])
        assert (batch.state, batch.total, batch.done, batch.failed) == (COMPLETE, PICTURES, PICTURES, 1)
        faults.calls = calls
        return rows_at(deployment.objects, f"{batch.output_prefix}results.jsonl")

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
