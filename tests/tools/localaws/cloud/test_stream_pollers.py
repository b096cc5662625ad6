"""Streams that feed functions: in order, from what failed, in halves, so often and so long; then to the queue."""

import json
import re
import time

import pytest

from layers.pythons import own
from localaws.cloud.stream_batch import failed_from
from tests.support.api import wait_for
from tests.support.clients import clients_of
from tests.support.roles import make_role
from tests.support.toys import zip_of

ACCOUNT = "123456789012"
READER = """
import base64, json, os

def handler(event, context):
    failed = []
    for record in event["Records"]:
        if record["eventSource"] == "aws:kinesis":
            number, text = record["kinesis"]["sequenceNumber"], base64.b64decode(record["kinesis"]["data"]).decode()
        else:
            number, text = record["dynamodb"]["SequenceNumber"], record["dynamodb"]["NewImage"]["id"]["S"]
        print("got", len(event["Records"]), text)
        if text == "crash":
            os._exit(1)
        if text == "refuse":
            failed.append({"itemIdentifier": number})
    return {"batchItemFailures": failed[:1]}
"""


@pytest.fixture(scope="module")
def aws(cloud):
    make_role(cloud, "streamed", "kinesis:*", "dynamodb:*", "sqs:*", "logs:*")
    with clients_of(cloud) as clients:
        yield clients


@pytest.fixture
def stream(aws, request):
    """Makes a stream, its function and a queue for what is given up, all called as the test."""
    name = re.sub(r"\W+", "-", request.node.name)[-50:].strip("-")
    aws("lambda").create_function(
        FunctionName=name, Code={"ZipFile": zip_of({"toy.py": READER})}, Runtime=own().runtime,
        Role=f"arn:aws:iam::{ACCOUNT}:role/streamed", Handler="toy.handler", Timeout=10, MemorySize=256,
    )  # fmt: skip
    url = aws("sqs").create_queue(QueueName=name)["QueueUrl"]
    aws("kinesis").create_stream(StreamName=name, ShardCount=1)
    return name, url


def put(aws, name: str, *texts: str) -> None:
    records = [{"Data": text.encode(), "PartitionKey": "1"} for text in texts]
    aws("kinesis").put_records(StreamName=name, Records=records)


def connect(aws, name: str, source: str = "", **options) -> str:
    made = aws("lambda").create_event_source_mapping(
        EventSourceArn=source or f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{name}",
        FunctionName=name,
        StartingPosition="TRIM_HORIZON",
        BatchSize=10,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"}},
        **options,
    )
    return str(made["UUID"])


def got(cloud, name: str) -> list[tuple[int, str]]:
    """What the function got: the size of each record's batch, and the record; those of one process in order."""
    texts = [path.read_text() for path in cloud.host.folder.glob(f"{name}*.log")]
    return [(int(size), text) for one in texts for size, text in re.findall(r"got (\d+) (\w+)", one)]


def given_up(aws, url: str) -> list[dict]:
    """What the mapping's queue has, when it has something."""
    received = wait_for(lambda: aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"))
    return [json.loads(message["Body"]) for message in received]


def test_records_come_in_order_and_once(cloud, aws, stream):
    name, _ = stream
    put(aws, name, "a", "b", "c")
    connect(aws, name)
    wait_for(lambda: len(got(cloud, name)) == 3)
    put(aws, name, "d")
    wait_for(lambda: len(got(cloud, name)) == 4)
    assert [text for _, text in got(cloud, name)] == ["a", "b", "c", "d"]


def test_what_is_returned_comes_again_from_there_and_then_goes_to_the_queue(cloud, aws, stream):
    name, url = stream
    put(aws, name, "a", "refuse")
    connect(aws, name, MaximumRetryAttempts=2)
    [letter] = given_up(aws, url)
    assert letter["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert (letter["KinesisBatchInfo"]["batchSize"], letter["KinesisBatchInfo"]["startSequenceNumber"]) == (1, "2")
    put(aws, name, "after")
    wait_for(lambda: (1, "after") in got(cloud, name))
    assert [text for _, text in got(cloud, name)].count("a") == 1


def test_a_record_that_ends_the_process_is_split_off(cloud, aws, stream):
    name, url = stream
    put(aws, name, "a", "b", "crash", "c", "d")
    connect(aws, name, MaximumRetryAttempts=1, BisectBatchOnFunctionError=True)
    [letter] = given_up(aws, url)
    assert (letter["KinesisBatchInfo"]["batchSize"], letter["KinesisBatchInfo"]["startSequenceNumber"]) == (1, "3")
    wait_for(lambda: {"c", "d"} <= {text for _, text in got(cloud, name)})
    assert (1, "crash") in got(cloud, name)


def test_old_records_are_left_out(cloud, aws, stream):
    name, url = stream
    put(aws, name, "old")
    time.sleep(1.2)
    connect(aws, name, MaximumRecordAgeInSeconds=1)
    assert given_up(aws, url)[0]["requestContext"]["condition"] == "RecordAgeExceeded"
    assert got(cloud, name) == []


def test_a_table_is_followed_and_a_changed_mapping_goes_on(cloud, aws, stream):
    name, _ = stream
    made = aws("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    aws("dynamodb").put_item(TableName=name, Item={"id": {"S": "a"}, "data": {"B": b"\x00"}})
    mapping = connect(aws, name, made["TableDescription"]["LatestStreamArn"])
    wait_for(lambda: [text for _, text in got(cloud, name)] == ["a"])
    aws("lambda").update_event_source_mapping(UUID=mapping, BatchSize=5)
    aws("dynamodb").put_item(TableName=name, Item={"id": {"S": "b"}})
    wait_for(lambda: [text for _, text in got(cloud, name)] == ["a", "b"])


def test_without_a_right_there_is_no_mapping(cloud, aws, stream):
    name, _ = stream
    role = make_role(cloud, "blind", "logs:*")
    aws("lambda").update_function_configuration(FunctionName=name, Role=role)
    with pytest.raises(aws("lambda").exceptions.InvalidParameterValueException, match="GetRecords on KINESIS"):
        connect(aws, name)


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        ("null", 3), ("{}", 3), ('{"batchItemFailures": []}', 3), ('{"batchItemFailures": null}', 3),
        ('{"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "1"}]}', 1),
        ('{"batchItemFailures": [{"itemIdentifier": "9"}]}', 0), ('{"batchItemFailures": [{}]}', 0), ("5", 0), ("?", 0),
    ],
)  # fmt: skip
def test_from_where_a_response_asks_for_more(payload, place):
    assert failed_from(payload.encode(), ["0", "1", "2"]) == place
