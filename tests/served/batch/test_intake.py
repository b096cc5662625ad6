"""What AWS delivers to the trigger function: queued once, put with the dead letters, or asked for again."""

import base64
import json
from datetime import UTC, datetime

import pytest

from chalicelib.aws import events
from chalicelib.batch import intake
from chalicelib.batch.intake import Intake
from chalicelib.batch.messages import read_message
from chalicelib.batch.service import Service
from chalicelib.batch.worker import Worker
from chalicelib.errors import ObjectForbidden, StorageError
from tests.served.aws.test_events import eventbridge, s3, s3_record, sns, sqs
from tests.support.buckets import ACCOUNT, STAGE
from tests.support.fakes import FakeObjects, FakeQueue, FakeTable, event_of

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
HOME = f"slimception-dev-{ACCOUNT}-eu-west-1"
REQUEST = "4a1f0c7e"


class Rig:
    def __init__(self) -> None:
        self.table, self.pictures, self.dead, self.listings = FakeTable(), FakeQueue(), FakeQueue("dead"), FakeQueue()
        service = Service(self.table, self.listings, STAGE)
        self.intake = Intake(self.pictures, self.dead, service, HOME, lambda: NOW)

    def take(self, event, request_id=REQUEST):
        return self.intake.take(event, request_id)

    def queued(self) -> list[str]:
        return [ref.key for body in self.pictures.bodies for ref in events.read(body)]

    def letters(self) -> list[dict]:
        return [json.loads(body) for body in self.dead.bodies]


@pytest.fixture
def rig(capsys):
    yield Rig()
    capsys.readouterr()


def kinesis_record(data: object, number: int) -> dict:
    """As the Lambda developer guide has it."""
    text = data if isinstance(data, str) else json.dumps(data)
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "1",
            "sequenceNumber": f"4959033827149025660855969253836157109592157598913658889{number}",
            "data": base64.b64encode(text.encode()).decode(),
            "approximateArrivalTimestamp": 1769904000.651,  # 2026-02-01
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000006:{number}",
        "eventName": "aws:kinesis:record",
        "awsRegion": "us-east-2",
        "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
    }


def dynamodb_record(image: dict | None, number: int, name: str = "INSERT", old: dict | None = None) -> dict:
    change = {
        "Keys": {"id": {"S": str(number)}},
        "ApproximateCreationDateTime": 1769904000,
        "SequenceNumber": str(4421584500000000017450439091 + number),
        "SizeBytes": 26,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    change |= {} if image is None else {"NewImage": image}
    return {
        "eventID": f"c{number}",
        "eventName": name,
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-2",
        "dynamodb": change | ({"OldImage": old} if old else {}),
    }


def plain(key: str) -> dict:
    return {"bucket": HOME, "key": key}


def stream(*records: dict) -> dict:
    return {"Records": list(records)}


POISON = ["no JSON", "[", "{}", '{"bucket": "b"}', '{"bucket": 5, "key": []}', '{"image": "https://x/y"}', "\x00"]


class TestWhatIsQueued:
    @pytest.mark.parametrize(
        "event",
        [
            s3(),
            sns(json.dumps(s3())),
            eventbridge(),
            stream(kinesis_record(s3(), 1)),
            {"source": "shop", "detail-type": "Picture", "detail": {"image": "s3://pictures/incoming/a.png"}},
            stream(kinesis_record({"image": "s3://pictures/incoming/a.png"}, 1)),
            stream(kinesis_record({"Type": "Notification", "Message": json.dumps(s3())}, 1)),
            stream(dynamodb_record({"image": {"S": "s3://pictures/incoming/a.png"}}, 1)),
            stream(dynamodb_record({"bucket": {"S": "pictures"}, "key": {"S": "incoming/a.png"}}, 1, "MODIFY")),
            sqs(json.dumps(s3())),
            {"image": "s3://pictures/incoming/a.png"},
        ],
        ids=[
            "S3", "SNS", "EventBridge", "S3 in Kinesis", "EventBridge's own", "Kinesis", "SNS in Kinesis",
            "DynamoDB image", "DynamoDB", "SQS", "by hand",
        ],
    )  # fmt: skip
    def test_each_service_names_one_picture(self, rig, event):
        answer = rig.take(event)
        assert answer in ({"batchItemFailures": []}, {"pictures": 1, "batches": 0, "ignored": 0, "refused": 0})
        (body,) = rig.pictures.bodies
        (ref,) = events.read(body)
        assert (ref.bucket, ref.key, rig.letters()) == ("pictures", "incoming/a.png", [])
        assert ref.time and ref.time[:10] in ("2026-01-31", "2026-02-01")

    @pytest.mark.parametrize(
        "event",
        [
            s3(s3_record(name="ObjectRemoved:Delete")),
            {"Service": "Amazon S3", "Event": "s3:TestEvent"},
            stream(dynamodb_record(None, 1, "REMOVE")),
            stream(dynamodb_record({"customer": {"S": "another kind of item"}}, 1)),
            stream(
                dynamodb_record(
                    {"image": {"S": "s3://p/k"}, "label": {"S": "7"}}, 1, "MODIFY", {"image": {"S": "s3://p/k"}}
                )
            ),
        ],
    )
    def test_what_names_no_new_picture_is_ignored(self, rig, event):
        rig.take(event)
        assert (rig.pictures.bodies, rig.dead.bodies) == ([], [])

    @pytest.mark.parametrize("key", ["results/b1/results.jsonl", "workflows/w/report.html"])
    def test_what_this_stage_writes_is_not_classified(self, rig, key):
        rig.take(stream(kinesis_record(plain(key), 1)))
        rig.take(eventbridge(key) | {"detail": {"bucket": {"name": HOME}, "object": {"key": key, "size": 5}}})
        assert rig.pictures.bodies == []

    def test_a_trigger_adds_to_no_batch_and_to_no_day_without_files(self, rig):
        for time in ("2025-01-01", "2026-12-31T00:00:00Z", "2026-01-20T23:30:00-05:00"):
            rig.take({**plain("a"), "batch": "another", "time": time})
        refs = [ref for body in rig.pictures.bodies for ref in events.read(body)]
        assert [ref.time[:10] for ref in refs] == ["2026-02-01", "2026-02-01", "2026-01-21"]
        assert {ref.batch for ref in refs} == {None}


class TestPoison:
    @pytest.mark.parametrize("poison", POISON)
    def test_it_goes_to_the_dead_letters_and_stops_nothing(self, rig, poison):
        records = [kinesis_record(plain("a"), 1), kinesis_record(poison, 2), kinesis_record(plain("b"), 3)]
        assert rig.take(stream(*records)) == {"batchItemFailures": []}
        (letter,) = rig.letters()
        assert (rig.queued(), letter["id"]) == (["a", "b"], records[1]["kinesis"]["sequenceNumber"])
        assert letter["requestPayload"] == records[1] and letter["error"]

    @pytest.mark.parametrize(
        "event", [None, 5, [], "", {}, {"Records": 5}, {"Records": [None]}, {"source": 5}, sns("?")]
    )
    def test_any_event_of_any_type(self, rig, event):
        assert rig.take(event)["refused" if event != [] else "ignored"] == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"kinesis": None}, {"kinesis": {}}, {"kinesis": 5}, {"eventSource": []}, {"eventSource": 5},
            {"kinesis": {"sequenceNumber": 5, "data": "e30="}}, {"kinesis": {"sequenceNumber": "5", "data": 7}},
            {"kinesis": {"sequenceNumber": "5", "data": "e30=", "approximateArrivalTimestamp": "now"}},
            {"kinesis": {"sequenceNumber": "5", "data": "W10=", "approximateArrivalTimestamp": 1e300}},
        ],
    )  # fmt: skip
    def test_a_wrong_type_in_any_field(self, rig, change):
        rig.take(stream({**kinesis_record(plain("a"), 1), **change}))
        assert rig.pictures.bodies == []

    def test_a_dynamodb_stream_without_new_items_says_what_to_set(self, rig):
        rig.take(stream(dynamodb_record(None, 1)))
        assert "set its view to NEW_IMAGE" in rig.letters()[0]["error"]

    def test_ten_large_ones_fit_into_one_request_of_sqs(self, rig):
        rig.take(stream(*(kinesis_record("x" * 700_000, number) for number in range(10))))
        assert sum(map(len, rig.dead.bodies)) < 256_000 and len(rig.letters()) == 10
        assert rig.letters()[0]["id"].endswith("0") and rig.letters()[0]["bytes"] > 700_000

    @pytest.mark.parametrize("change", [{"key": "k" * 20_000}, {"top_k": ["x" * 20_000]}])
    def test_a_picture_that_no_message_can_name(self, rig, change):
        rig.take(stream(kinesis_record({**plain("a"), **change}, 1)))
        assert (rig.pictures.bodies, len(rig.letters())) == ([], 1)

    def test_a_dead_letter_can_be_put_back(self, rig):
        record = kinesis_record("no JSON", 1)
        rig.take(stream(record))
        (body,) = rig.dead.bodies
        mended = json.loads(body) | {"requestPayload": kinesis_record(plain("a"), 1)}
        assert [ref.key for ref in events.read(mended)] == ["a"]


class TestUnreachableQueues:
    def break_sends(self, queue: FakeQueue, at: int) -> None:
        """Fail from the `at`th send on."""
        calls = iter(range(1000))

        def fail() -> None:
            if next(calls) >= at:
                raise StorageError("queue: EndpointConnectionError")

        queue.on_send = fail

    def test_a_stream_comes_again_from_the_first_record_that_was_not_queued(self, rig, monkeypatch):
        monkeypatch.setattr(intake, "AT_ONCE", 2)
        self.break_sends(rig.pictures, at=1)
        records = [kinesis_record(plain(str(n)), n) for n in range(5)]
        answer = rig.take(stream(*records))
        wanted = [{"itemIdentifier": record["kinesis"]["sequenceNumber"]} for record in records[2:]]
        assert (answer, rig.queued()) == ({"batchItemFailures": wanted}, ["0", "1"])

    def test_dynamodb_by_its_own_number(self, rig):
        self.break_sends(rig.pictures, at=0)
        answer = rig.take(stream(dynamodb_record({"image": {"S": "s3://pictures/a"}}, 1)))
        assert answer == {"batchItemFailures": [{"itemIdentifier": "4421584500000000017450439092"}]}

    @pytest.mark.parametrize("event", [s3(), sns(json.dumps(s3())), eventbridge(), plain("a")])
    def test_any_other_service_tries_again_because_this_raises(self, rig, event):
        self.break_sends(rig.pictures, at=0)
        with pytest.raises(StorageError):
            rig.take(event)

    def test_no_right_to_the_queue_is_no_poison(self, rig):
        def refuse() -> None:
            raise ObjectForbidden("queue pictures: access denied")

        rig.pictures.on_send = refuse
        with pytest.raises(StorageError, match="Lambda tries again"):
            rig.take(s3())
        assert rig.dead.bodies == []

    def test_poison_waits_for_the_dead_letters(self, rig):
        self.break_sends(rig.dead, at=0)
        assert len(rig.take(stream(kinesis_record("?", 1)))["batchItemFailures"]) == 1


INPUT = {"source": f"s3://{HOME}/nightly/", "model": "digits", "top_k": 2, "time": "2026-02-01T03:00:00Z"}


class TestSchedule:
    def test_it_starts_a_batch_once_for_each_time(self, rig):
        for time in ("2026-02-01T03:00:00Z", "2026-02-01T03:00:00Z", "2026-02-02T03:00:00Z"):
            assert rig.take({**INPUT, "time": time}, request_id=time)["batches"] == 1
        assert (
            sorted((b.prefix, b.model, b.top_k) for b in rig.table.batches.values()) == [("nightly/", "digits", 2)] * 2
        )
        assert {read_message(body).batch_id for body in rig.listings.bodies} == set(rig.table.batches)

    def test_without_a_time_lambdas_own_tries_are_one(self, rig):
        constant = {"source": f"s3://{HOME}/nightly/", "model": ""}
        for request_id in ("first", "first", "second"):
            rig.take(constant, request_id)
        assert len(rig.table.batches) == 2

    @pytest.mark.parametrize(
        "change",
        [
            {"source": 5}, {"source": "nightly/"}, {"source": None}, {"top_k": 0}, {"top_k": True}, {"top_k": "2"},
            {"model": 5}, {"output": []}, {"time": 5}, {"modle": "digits"}, {"source": "s3://of-somebody-else/a/"},
            {"source": f"s3://{HOME}"},
        ],
    )  # fmt: skip
    def test_an_input_that_can_start_none_is_a_dead_letter(self, rig, change):
        assert rig.take({**INPUT, **change})["refused"] == 1
        assert (rig.table.batches, rig.listings.bodies) == ({}, [])

    def test_a_schedule_without_an_input(self, rig):
        event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}, "time": "2026-02-01T03:00:00Z"}
        assert rig.take(event)["refused"] == 1

    def test_a_queue_that_is_down(self, rig):
        def fail() -> None:
            raise StorageError("queue listings: EndpointConnectionError")

        rig.listings.on_send = fail
        with pytest.raises(StorageError):
            rig.take(INPUT)
        rig.listings.on_send = lambda: None
        rig.take(INPUT)
        assert len(rig.table.batches) == 1 and rig.listings.bodies


class TestOneResult:
    """What was delivered twice, in every way, counts once."""

    def classify(self, rig, digits, contents):
        worker = Worker(digits, FakeObjects(contents), rig.table, rig.pictures, rig.listings, 5000, HOME)
        assert worker.work(event_of(*rig.pictures.bodies), lambda: 60_000.0) == {"batchItemFailures": []}
        return sorted(result.key for result in rig.table.results("incoming-2026-02-01"))

    def test_a_record_twice_and_the_same_picture_by_another_service(self, rig, digits, seven):
        etag = "unknown to the streams"
        objects = FakeObjects({"a": seven})
        etag = objects.fetch(HOME, "a", 5000).etag
        record = kinesis_record(plain("a"), 1)
        notified = s3_record("a")
        notified["s3"]["bucket"]["name"], notified["s3"]["object"]["eTag"] = HOME, etag
        notified["eventTime"] = "2026-02-01T10:00:00.000Z"
        for event in (
            stream(record),
            stream(record),
            stream(kinesis_record(plain("a"), 2)),
            s3(notified),
            s3(notified),
        ):
            rig.take(event)
        assert len(rig.pictures.bodies) == 5
        assert self.classify(rig, digits, {"a": seven}) == ["a"]

    def test_the_same_key_in_another_bucket_is_another_picture(self, rig, digits, seven):
        rig.take(stream(kinesis_record(plain("a"), 1), kinesis_record({"bucket": "pictures", "key": "a"}, 2)))
        assert self.classify(rig, digits, {"a": seven}) == ["a", "s3://pictures/a"]
        day = rig.table.get("incoming-2026-02-01")
        assert (day.bucket, day.output_bucket) == (HOME, HOME)

    def test_a_new_picture_under_the_same_key_has_its_own_result(self, rig, digits, seven):
        rig.take(stream(kinesis_record(plain("a"), 1)))
        self.classify(rig, digits, {"a": seven})
        assert self.classify(rig, digits, {"a": b"no picture"}) == ["a", "a"]
