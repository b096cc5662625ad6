"""Every event that AWS delivers and that names an S3 object, whole, as the services write it."""

import base64
import json

import pytest

from chalicelib.aws.events import MAX_DEPTH, PictureRef, read
from chalicelib.errors import InvalidRequest

KEYS = {
    "incoming/plain.png": "incoming/plain.png",
    "incoming/with blank.png": "incoming/with+blank.png",
    "incoming/plus+sign.png": "incoming/plus%2Bsign.png",
    "incoming/100%.png": "incoming/100%25.png",
    "incoming/%2B literally.png": "incoming/%252B+literally.png",
    "incoming/ünï 日本 🐈.png": "incoming/%C3%BCn%C3%AF+%E6%97%A5%E6%9C%AC+%F0%9F%90%88.png",
}
"""A key, and the same as S3 writes it into a notification."""


def s3_record(encoded="incoming/a.png", size=117, name="ObjectCreated:Put"):
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-01-31T23:59:59.000Z",
        "eventName": name,
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "incoming",
            "bucket": {"name": "pictures", "arn": "arn:aws:s3:::pictures"},
            "object": {"key": encoded, "size": size, "eTag": "d41d8", "sequencer": "0055AED6DCD90281E5"},
        },
    }


def s3(*records):
    return {"Records": list(records or [s3_record()])}


def sqs(*bodies):
    return {
        "Records": [
            {"messageId": str(n), "receiptHandle": "r", "body": body, "attributes": {}, "eventSource": "aws:sqs"}
            for n, body in enumerate(bodies)
        ]
    }


def sns_in_queue(message):
    """What SNS puts into a queue without raw delivery."""
    return {
        "Type": "Notification",
        "MessageId": "95df01b4",
        "TopicArn": "arn:aws:sns:eu-west-1:1:t",
        "Subject": "Amazon S3 Notification",
        "Message": message,
        "Timestamp": "2026-01-31T23:59:59.000Z",
    }


def sns(message):
    return {
        "Records": [
            {"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": {"Message": message, "Type": "Notification"}}
        ]
    }


def eventbridge(key="incoming/a.png", kind="Object Created"):
    return {
        "version": "0",
        "source": "aws.s3",
        "detail-type": kind,
        "time": "2026-01-31T23:59:59Z",
        "detail": {"bucket": {"name": "pictures"}, "object": {"key": key, "size": 117, "etag": "d41d8"}},
    }


def kinesis(data):
    return {"Records": [{"eventSource": "aws:kinesis", "eventName": "aws:kinesis:record", "kinesis": {"data": data}}]}


def dynamodb(image, name="INSERT"):
    return {"Records": [{"eventSource": "aws:dynamodb", "eventName": name, "dynamodb": {"NewImage": image}}]}


FOUND = PictureRef("pictures", "incoming/a.png", 117, "d41d8", "2026-01-31T23:59:59.000Z")
PLAIN = {"bucket": "pictures", "key": "incoming/a.png"}
NOTIFICATION = json.dumps(s3())


@pytest.mark.parametrize(
    "event",
    [
        s3(),
        sqs(NOTIFICATION),
        sns(NOTIFICATION),
        sqs(json.dumps(sns_in_queue(NOTIFICATION))),
        kinesis(base64.b64encode(NOTIFICATION.encode()).decode()),
    ],
    ids=["S3", "SQS of S3", "SNS of S3", "SQS of SNS of S3", "Kinesis of S3"],
)
def test_a_notification_in_its_envelopes(event):
    assert read(event) == [FOUND]


@pytest.mark.parametrize("event", [eventbridge(), sqs(json.dumps(eventbridge())), sns(json.dumps(eventbridge()))])
def test_eventbridge(event):
    assert read(event) == [PictureRef("pictures", "incoming/a.png", 117, "d41d8", "2026-01-31T23:59:59Z")]


@pytest.mark.parametrize(
    "event",
    [
        PLAIN,
        json.dumps(PLAIN),
        sqs(json.dumps(PLAIN)),
        sns(json.dumps(PLAIN)),
        kinesis(base64.b64encode(json.dumps(PLAIN).encode()).decode()),
        dynamodb({"bucket": {"S": "pictures"}, "key": {"S": "incoming/a.png"}, "other": {"BOOL": True}}),
    ],
    ids=["object", "text", "SQS", "SNS", "Kinesis", "DynamoDB"],
)
def test_plain_json(event):
    assert read(event) == [PictureRef("pictures", "incoming/a.png")]


@pytest.mark.parametrize(("key", "encoded"), KEYS.items(), ids=range(len(KEYS)))
def test_only_a_notification_encodes_its_keys(key, encoded):
    assert [ref.key for ref in read(sqs(json.dumps(s3(s3_record(encoded)))))] == [key]
    assert [ref.key for ref in read(eventbridge(key))] == [key]
    assert [ref.key for ref in read({"bucket": "pictures", "key": key})] == [key]
    assert [ref.key for ref in read(PictureRef("pictures", key).to_message())] == [key]


def test_a_reference_reads_as_it_was_written():
    ref = PictureRef("pictures", "a/b c+d%.png", 117, "d41d8", "2026-01-31", batch="b1", model="digits", top_k=3)
    assert read(sqs(ref.to_message())) == [ref]


def test_several_records_in_a_message_and_several_messages():
    many = [json.dumps(s3(s3_record("a"), s3_record("b"))), json.dumps([PLAIN, PLAIN]), json.dumps(s3(s3_record("c")))]
    assert [ref.key for ref in read(sqs(*many))] == ["a", "b", "incoming/a.png", "incoming/a.png", "c"]


@pytest.mark.parametrize(
    "event",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "pictures"},
        sqs(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})),
        s3(s3_record(name="ObjectRemoved:Delete")),
        eventbridge(kind="Object Deleted"),
        dynamodb({}, "REMOVE"),
        s3(s3_record("incoming/folder/", size=0)),
        eventbridge("incoming/") | {"detail": {"bucket": {"name": "b"}, "object": {"key": "incoming/", "size": 0}}},
        {"Records": []},
        [],
    ],
)
def test_what_names_no_new_object_gives_none(event):
    assert read(event) == []


def test_dynamodbs_other_numbers_are_nobodys_concern():
    image = {"bucket": {"S": "b"}, "key": {"S": "k"}, "top_k": {"N": "2"}, "weight": {"N": "1.5"}}
    assert read(dynamodb(image)) == [PictureRef("b", "k", top_k=2)]


def test_a_dynamodb_number_is_a_number():
    image = {"bucket": {"S": "b"}, "key": {"S": "k"}, "size": {"N": "5"}}
    assert read(dynamodb(image, "MODIFY")) == [PictureRef("b", "k", 5)]


def nested(depth):
    message = json.dumps(PLAIN)
    for _ in range(depth):
        message = json.dumps(sns_in_queue(message))
    return message


@pytest.mark.parametrize(
    "event",
    [
        None,
        5,
        "",
        "no JSON",
        "null",
        "[" * 5000,
        {},
        {"bucket": "b"},
        {"bucket": "", "key": "k"},
        {"bucket": "b", "key": 5},
        {"bucket": "b", "key": "k", "size": "5"},
        {"bucket": "b", "key": "half of a pair \ud800"},
        {"bucket": "b", "key": "k", "batch": 5},
        {"Records": 5},
        {"Records": [5]},
        {"Records": [{"eventSource": "aws:s3"}]},
        s3(s3_record("a%FFb")),
        sqs("no JSON"),
        kinesis("@@"),
        dynamodb({"bucket": {"S": "b"}}),
        {"source": "aws.s3", "detail-type": "Object Created"},
        nested(MAX_DEPTH + 1),
    ],
)
def test_anything_else_is_refused_in_one_way(event):
    with pytest.raises(InvalidRequest):
        read(event)
