"""SQS: the fake and the true queue over moto alike; then what only the true one has."""

import json

import pytest

from chalicelib.aws.sqs import Queue
from chalicelib.errors import StorageError
from tests.support.fakes import FakeQueue


@pytest.fixture
def sqs(aws):
    aws("sqs").create_queue(QueueName="pictures")
    return aws("sqs")


@pytest.fixture(params=["fake", "moto"])
def queue(request):
    return FakeQueue() if request.param == "fake" else Queue(request.getfixturevalue("sqs"), "pictures")


@pytest.fixture(params=["fake", "refusing client"])
def refusing(request):
    """A queue that refuses every "b"."""
    if request.param == "fake":
        queue = FakeQueue()
        queue.refused = {"b"}
        return queue
    return Queue(Refusing(1000), "pictures")


class TestQueue:
    def test_every_message_arrives_at_most_ten_at_once(self, queue):
        queue.send([json.dumps({"n": n}) for n in range(95)])
        queue.send([])
        assert queue.length() == 95
        found = []
        while messages := queue.receive(60):
            assert len(messages) <= 10
            for message in messages:
                queue.delete(message["ReceiptHandle"])
                found.append(message)
        assert sorted(json.loads(message["Body"])["n"] for message in found) == list(range(95))
        assert len({message["MessageId"] for message in found}) == 95
        assert queue.length() == 0

    def test_a_received_message_is_hidden(self, queue):
        queue.send(["a"])
        assert [message["Body"] for message in queue.receive(60)] == ["a"]
        assert queue.receive(60) == []

    def test_of_refused_messages_the_others_are_sent(self, refusing):
        with pytest.raises(StorageError, match=r"^queue pictures refused 2 of 12 messages: send them again$"):
            refusing.send([*"abcdefghijkb"])


class TestSqs:
    @pytest.mark.parametrize(("refusals", "lost"), [(2, False), (3, True)])
    def test_a_refused_message_is_sent_again(self, refusals, lost):
        stub = Refusing(refusals)
        try:
            Queue(stub, "pictures").send(["a", "b"])
        except StorageError as error:
            assert lost and "refused 1 of 2" in str(error)
        else:
            assert not lost
        assert stub.sent[:2] == [["a", "b"], ["b"]]

    def test_a_queue_that_is_not_there(self, sqs):
        with pytest.raises(StorageError, match=r"queue none: AWS.SimpleQueueService.NonExistentQueue"):
            Queue(sqs, "none").send(["a"])

    @pytest.mark.parametrize("tries", [7, None])
    def test_how_often_a_message_is_delivered(self, sqs, tries):
        dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": tries})}
        if tries:
            sqs.set_queue_attributes(QueueUrl=sqs.get_queue_url(QueueName="pictures")["QueueUrl"], Attributes=policy)
        queue = Queue(sqs, "pictures")
        assert queue.max_receives() == queue.max_receives() == (tries or 5)

    def test_it_asks_where_a_dead_letter_came_from(self):
        asked: list[str] = []

        class Recording(Refusing):
            def receive_message(self, MessageSystemAttributeNames, **_):  # noqa: N803
                asked.extend(MessageSystemAttributeNames)
                return {}

        assert Queue(Recording(0), "dead-letters").receive(60) == []
        assert asked == ["DeadLetterQueueSourceArn"]


class Refusing:
    """A client whose queue refuses each "b" so many times."""

    def __init__(self, times):
        self.times, self.sent = times, []

    def get_queue_url(self, QueueName):  # noqa: N803
        return {"QueueUrl": QueueName}

    def send_message_batch(self, QueueUrl, Entries):  # noqa: N803
        self.sent.append([entry["MessageBody"] for entry in Entries])
        refused = [{"Id": entry["Id"]} for entry in Entries if entry["MessageBody"] == "b"]
        self.times -= bool(refused)
        return {"Failed": refused} if refused and self.times >= 0 else {}
