"""Answers of S3, SQS and DynamoDB that are cut, altered, reset or late: a StorageError, and never a wrong result."""

import json

import pytest

from chalicelib.aws.s3 import Objects
from chalicelib.aws.sqs import Queue
from chalicelib.errors import PayloadTooLarge, StorageError
from tests.served.conftest import BUCKET
from tests.support.s3_server import FAULTS, LISTING

PICTURE = bytes(range(256)) * 40


@pytest.fixture
def objects(impatient_client, s3_on_loopback):
    return Objects(impatient_client("s3", s3_on_loopback[1]))


@pytest.mark.parametrize("fault", FAULTS)
def test_an_object(objects, s3_on_loopback, fault):
    s3_on_loopback[0].kept["k"] = PICTURE
    s3_on_loopback[0].faults["k"] = [fault] * (4 if fault == "refused" else 1)
    with pytest.raises(StorageError, match=f"^s3://{BUCKET}/k: "):
        objects.read(BUCKET, "k", 100_000)
    assert objects.read(BUCKET, "k", 100_000) == PICTURE


def test_an_object_without_a_checksum_has_its_length_alone(objects, s3_on_loopback):
    """What is altered on the way then is for TLS to notice."""
    s3_on_loopback[0].kept["k"], s3_on_loopback[0].sends_checksums = PICTURE, False
    s3_on_loopback[0].faults["k"] = ["altered"]
    assert len(objects.read(BUCKET, "k", 100_000)) == len(PICTURE)
    s3_on_loopback[0].faults["k"] = ["cut"]
    with pytest.raises(StorageError):
        objects.read(BUCKET, "k", 100_000)


def test_the_checksum_is_asked_for_whatever_the_environment_says(impatient_client, s3_on_loopback, monkeypatch):
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
    s3_on_loopback[0].kept["k"], s3_on_loopback[0].faults["k"] = PICTURE, ["altered"]
    with pytest.raises(StorageError, match="FlexibleChecksumError"):
        Objects(impatient_client("s3", s3_on_loopback[1])).read(BUCKET, "k", 100_000)


def test_an_object_that_is_too_large_leaves_its_connection_usable(objects, s3_on_loopback):
    s3_on_loopback[0].kept |= {"large": PICTURE * 50, "k": PICTURE}
    for _ in range(40):  # more than the pool has connections
        with pytest.raises(PayloadTooLarge):
            objects.read(BUCKET, "large", 100)
    assert objects.read(BUCKET, "k", 100_000) == PICTURE


@pytest.mark.parametrize("fault", ["cut", "cut at once", "reset", "slow", "refused"])
def test_a_listing(objects, s3_on_loopback, fault):
    """Cut off before its first byte it would be an empty listing: pictures would be lost, and nobody would know."""
    s3_on_loopback[0].kept |= {f"in/{n}": b"1" for n in range(5)}
    s3_on_loopback[0].faults[LISTING] = [fault] * 4
    try:
        found = objects.page(BUCKET, "in/", "", 10)
    except StorageError:
        s3_on_loopback[0].faults.clear()
        found = objects.page(BUCKET, "in/", "", 10)
    assert [listed.key for listed in found] == [f"in/{n}" for n in range(5)]
    assert s3_on_loopback[0].injected


@pytest.mark.parametrize("fault", FAULTS)
def test_a_write(objects, s3_on_loopback, fault):
    """botocore repeats it, or it is a StorageError: no half of it is ever kept."""
    s3_on_loopback[0].faults["k"] = [fault]
    objects.write(BUCKET, "k", [PICTURE], "text/x")
    assert s3_on_loopback[0].kept["k"] == PICTURE


@pytest.mark.parametrize("length", [0, 20])
def test_an_answer_of_sqs_that_is_cut_off(impatient_client, length, monkeypatch):
    """It says which messages were refused: without it none would seem to be."""
    whole = json.dumps({"Failed": [{"Id": "0", "Code": "x", "SenderFault": False}], "Successful": []}).encode()

    queue = Queue(impatient_client("sqs", "http://127.0.0.1:9"), "q")
    queue._known_url = "http://127.0.0.1:9/1/q"

    def answered(request, **_):
        from botocore.awsrequest import AWSResponse

        class Raw:
            def stream(self, **_):
                yield whole[:length]

        return AWSResponse(request.url, 200, {"content-length": str(len(whole))}, Raw())

    queue._sqs.meta.events.register("before-send.sqs.SendMessageBatch", answered)
    with pytest.raises(StorageError, match="IncompleteReadError"):
        queue.send(["m"])
