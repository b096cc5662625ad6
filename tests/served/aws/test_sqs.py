"""The queue over moto, and over one that refuses."""

import json

import pytest

from chalicelib.aws.sqs import Queue
from chalicelib.errors import StorageError
from tests.served.batch.conftest import aws  # noqa: F401


@pytest.fixture
def sqs(aws):  # noqa: F811
    aws("sqs").create_queue(QueueName="pictures")
    return aws("sqs")


def test_every_message_arrives(sqs):
    queue = Queue(sqs, "pictures")
    queue.send([json.dumps({"n": n}) for n in range(95)])
    queue.send([])
    assert queue.length() == 95
    found = []
    while messages := queue.receive(60):
        for message in messages:
            queue.delete(message["ReceiptHandle"])
            found.append(json.loads(message["Body"])["n"])
    assert sorted(found) == list(range(95))


@pytest.mark.parametrize(("refusals", "lost"), [(2, False), (3, True)])
def test_a_refused_message_is_sent_again(refusals, lost):
    stub = Refusing(refusals)
    try:
        Queue(stub, "pictures").send(["a", "b"])
    except StorageError as error:
        assert lost and "refused 1 of 2" in str(error)
    else:
        assert not lost
    assert stub.sent[:2] == [["a", "b"], ["b"]]


def test_a_queue_that_is_not_there(sqs):
    with pytest.raises(StorageError, match=r"queue none: AWS.SimpleQueueService.NonExistentQueue"):
        Queue(sqs, "none").send(["a"])


class Refusing:
    def __init__(self, times):
        self.times, self.sent = times, []

    def get_queue_url(self, QueueName):  # noqa: N803
        return {"QueueUrl": QueueName}

    def send_message_batch(self, QueueUrl, Entries):  # noqa: N803
        self.sent.append([entry["MessageBody"] for entry in Entries])
        self.times -= 1
        return {"Failed": [{"Id": "1"}]} if self.times >= 0 else {}
