"""Each body that a job reads from S3 is cut, altered, reset, late or refused: the job ends with the same result."""

import json

import pytest

from chalicelib.aws.events import PictureRef
from chalicelib.aws.s3 import Objects
from chalicelib.batch.record import Batch
from chalicelib.batch.worker import Worker
from chalicelib.config import Settings
from chalicelib.errors import StorageError
from chalicelib.workflow.classify import GroupClassifier
from chalicelib.workflow.plan import Planner
from chalicelib.workflow.reporter import Reporter
from tests.served.conftest import BUCKET
from tests.support.fakes import FakeQueue, FakeTable, event_of, failed_of
from tests.support.faults import minute
from tests.support.s3_server import FAULTS, LISTING

KEYS = [f"in/{number}.png" for number in range(3)]
PREFIX = "workflows/e/x/"
MAX_BYTES = 100_000


pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def server(s3_on_loopback, seven):
    s3_on_loopback[0].kept |= dict.fromkeys(KEYS, seven)
    s3_on_loopback[0].kept["labels.csv"] = ("key,label\n" + "".join(f"{key},7\n" for key in KEYS)).encode()
    return s3_on_loopback[0]


@pytest.fixture
def objects(impatient_client, s3_on_loopback):
    return Objects(impatient_client("s3", s3_on_loopback[1]))


def broken(server, name, fault):
    """The next answer, or all tries of a refused call."""
    server.faults[name] = [fault] * (4 if fault == "refused" else 1)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_picture_of_a_batch(server, objects, digits, fault):
    table = FakeTable()
    table.create(Batch("b1", BUCKET, "in/", BUCKET, "results/b1/", 0.0))
    worker = Worker(digits, objects, table, FakeQueue(), FakeQueue(), MAX_BYTES)
    messages = [PictureRef(BUCKET, key, batch="b1").to_message() for key in KEYS]
    broken(server, KEYS[1], fault)
    assert failed_of(worker.work(event_of(*messages), minute)) == ["m1"]
    assert [result.key for result in table.results("b1")] == [KEYS[0], KEYS[2]]
    assert failed_of(worker.work(event_of(messages[1], again={0}), minute)) == []
    assert [(result.key, result.answer["predictions"][0]["label"]) for result in table.results("b1")] == [
        (key, "7") for key in KEYS
    ]


READS = {
    "plan": (LISTING, "labels.csv"),
    "classify": (f"{PREFIX}groups/000000.jsonl", KEYS[1]),
    "report": (f"{PREFIX}rows/000000.jsonl", f"{PREFIX}groups/000001.jsonl"),
}
"""What each function of the workflow reads. The second group has no rows: the report reads its pictures instead."""
CASES = [(state, name, fault) for state, names in READS.items() for name in names for fault in FAULTS]
CASES.remove(("plan", LISTING, "altered"))  # S3 sends no checksum of a listing: that is for TLS to notice


@pytest.mark.parametrize(("state", "name", "fault"), CASES)
def test_a_read_of_the_workflow(server, objects, digits, state, name, fault):
    given = {
        "experiment": "e", "models": ["digits", "digits"], "source": f"s3://{BUCKET}/in/", "group": 2,
        "labels": f"s3://{BUCKET}/labels.csv", "shadow": 0,
    }  # fmt: skip
    planner, classifier = Planner(digits, objects), GroupClassifier(digits, objects, MAX_BYTES)
    reporter = Reporter(objects, Settings(memory_mb=1769))
    tried = 0

    def done(at, call):
        """Break the answer, if it is this state's; a state machine repeats a call for a StorageError alone."""
        nonlocal tried
        if at == state:
            broken(server, name, fault)
        while True:
            try:
                return call()
            except StorageError:
                tried += 1
                assert tried == 1

    plan = done("plan", lambda: planner.plan({"execution": "x", "state": given}, minute))
    done("classify", lambda: classifier.work({"run": plan["run"], "group": 0}))
    answer = done("report", lambda: reporter.report({"state": plan}))
    assert server.injected and not any(server.faults.values())
    assert tried == (0 if name == LISTING and fault in ("reset", "slow") else 1)  # botocore itself repeats these
    assert (plan["listing"]["images"], plan["listing"]["groups"]) == (3, 2)
    assert (answer["counts"]["images"], answer["counts"]["answered"], answer["counts"]["failed"]) == (3, 2, 1)
    rows = [json.loads(line) for line in server.kept[f"{PREFIX}rows/000000.jsonl"].splitlines()]
    assert [(row["key"], row["label"], row["expected"]) for row in rows] == [(key, "7", "7") for key in KEYS[:2]]
