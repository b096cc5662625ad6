"""Pollers of a throttled function, and of one that sends itself messages."""

import json
import re

import pytest

from layers.pythons import own
from localaws.host import lineage
from tests.support.clients import clients_of
from tests.support.roles import make_role
from tests.support.toys import zip_of

ACCOUNT = "123456789012"
VISIBLE_AFTER_S = 1
SENDER = """
import boto3, json

def handler(event, context):
    for record in event["Records"]:
        body = json.loads(record["body"])
        if body["left"]:
            message = json.dumps({**body, "left": body["left"] - 1})
            boto3.client("sqs").send_message_batch(
                QueueUrl=body["queue"], Entries=[{"Id": "1", "MessageBody": message}]
            )
        print("left", body["left"])
"""


@pytest.fixture(scope="module")
def aws(cloud):
    make_role(cloud, "polled", "sqs:*", "logs:*")
    with clients_of(cloud) as clients:
        yield clients


@pytest.fixture
def polled(aws, request):
    """Makes a queue, its dead-letter queue and a function called as the test; gives the URLs of the two."""

    def make(max_receives, **options):
        name = re.sub(r"\W+", "-", request.node.name)[-50:].strip("-")
        dead = aws("sqs").create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        redrive = {
            "deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}-dead",
            "maxReceiveCount": max_receives,
        }
        attributes = {"VisibilityTimeout": "10", "RedrivePolicy": json.dumps(redrive)}
        url = aws("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        aws("lambda").create_function(
            FunctionName=name, Code={"ZipFile": zip_of({"toy.py": SENDER})}, Runtime=own().runtime,
            Role=f"arn:aws:iam::{ACCOUNT}:role/polled", Handler="toy.handler", Timeout=10, MemorySize=256,
        )  # fmt: skip
        aws("lambda").create_event_source_mapping(
            EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}", FunctionName=name, BatchSize=1, **options
        )
        return name, url, dead

    return make


@pytest.fixture
def waiting(aws):
    def waiting(url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(map(int, counts.values()))

    return waiting


@pytest.mark.parametrize("max_receives", [2, 1000])
def test_messages_of_a_throttled_function_are_received_again_and_again(
    aws, cloud, polled, waiting, wait_until, max_receives
):
    """Each time the messages return counts, so that few receives make dead letters of what no function has seen."""
    name, url, dead = polled(max_receives, ScalingConfig={"MaximumConcurrency": 10})
    aws("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(VISIBLE_AFTER_S)})
    for _ in range(8):
        aws("sqs").send_message(QueueUrl=url, MessageBody=json.dumps({"left": 0}))
    if max_receives == 2:
        wait_until(lambda: waiting(dead) == 8)
        assert waiting(url) == 0
    else:
        wait_until(lambda: any(m.approximate_receive_count > 2 for m in messages_of(name)))
        aws("lambda").delete_function_concurrency(FunctionName=name)
        wait_until(lambda: waiting(url) == 0)
        assert waiting(dead) == 0
    assert not any(instance.function.name == name for instance in cloud.host.instances()) or max_receives > 2


def messages_of(name):
    from moto.sqs.models import sqs_backends

    return list(sqs_backends[ACCOUNT]["us-east-1"].queues[name]._messages)


@pytest.mark.parametrize("allowed", [False, True])
def test_a_chain_of_invocations(aws, polled, waiting, wait_until, allowed):
    name, url, dead = polled(5)
    if allowed:
        aws("lambda").put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    told = aws("lambda").get_function_recursion_config(FunctionName=name)["RecursiveLoop"]
    assert told == ("Allow" if allowed else "Terminate")
    aws("sqs").send_message(QueueUrl=url, MessageBody=json.dumps({"left": lineage.MOST + 3, "queue": url}))
    wait_until(lambda: waiting(dead) if not allowed else waiting(url) == 0)
    wait_until(lambda: waiting(url) == 0)
    group = f"/aws/lambda/{name}"
    ran = aws("logs").filter_log_events(logGroupName=group, filterPattern="left")["events"]
    assert len(ran) == (lineage.MOST + 4 if allowed else lineage.MOST)
    assert waiting(dead) == (0 if allowed else 1)
