"""Pictures dropped under `incoming/`: each day gets its files when it is over, and again if a result comes late."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.batch.days import LOOK_BACK_DAYS, Days
from chalicelib.batch.items import KEPT_DAYS
from chalicelib.batch.listing import Lister
from chalicelib.batch.messages import close_message, read_message
from chalicelib.batch.table import CLAIM_S
from chalicelib.batch.worker import Worker
from chalicelib.errors import ObjectForbidden
from tests.served.conftest import BUCKET
from tests.support.fakes import FakeObjects, FakeQueue, event_of
from tests.support.paths import ROOT

pytestmark = pytest.mark.usefixtures("quiet")
FIRST, SECOND = "2026-01-30", "2026-01-31"
NEXT_DAY = datetime(2026, 2, 1, 0, 20, tzinfo=UTC)


def minute() -> float:
    return 60_000.0


def dropped(key: str, day: str, etag: str = "d41d8cd9") -> str:
    """S3's notification."""
    s3 = {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 5, "eTag": etag}}
    time = f"{day}T23:59:59.000Z"
    return json.dumps(
        {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": time, "s3": s3}]}
    )


class Rig:
    """Worker and lister over S3 as a dict and either table; the clock is set by hand."""

    def __init__(self, digits: Any, table: Any, seven: bytes) -> None:
        contents = {f"incoming/{name}.png": seven for name in "abcd"} | {"incoming/text.png": b"no picture"}
        self.objects, self.table, self.now = FakeObjects(contents), table, NEXT_DAY
        self.pictures, self.listings = FakeQueue(), FakeQueue()
        self.worker = Worker(digits, self.objects, table, self.pictures, self.listings, 5000)
        self.lister = Lister(self.objects, table, self.pictures, self.listings)
        self.lister._days = Days(self.objects, table, self.pictures, lambda: self.now)

    def drop(self, *keys: str, day: str, etag: str = "d41d8cd9") -> None:
        bodies = [dropped(f"incoming/{key}.png", day, etag) for key in keys]
        assert self.worker.work(event_of(*bodies), minute) == {"batchItemFailures": []}

    def close(self, remaining_ms: float = 60_000.0) -> None:
        self.lister.work(event_of(close_message()), lambda: remaining_ms)

    def rows(self, day: str) -> list[str] | None:
        """The keys in the file of a day."""
        key = f"results/incoming-{day}/results.jsonl"
        return [row["key"] for row in self.objects.lines(key)] if key in self.objects.kept else None


@pytest.fixture
def rig(digits, table, seven):
    return Rig(digits, table, seven)


def test_incoming_of_two_days_gives_two_files(rig):
    rig.drop("a", "text", day=FIRST)
    rig.drop("b", "c", day=SECOND)
    rig.close()
    assert rig.rows(FIRST) == ["incoming/a.png", "incoming/text.png"]
    assert rig.rows(SECOND) == ["incoming/b.png", "incoming/c.png"]
    summary = json.loads(rig.objects.kept[f"results/incoming-{FIRST}/summary.json"])
    assert (summary["total"], summary["failed"], summary["source"]) == (2, 1, f"s3://{BUCKET}/incoming/")
    status = rig.table.get(f"incoming-{FIRST}").describe()
    assert (status["state"], status["total"], status["done"], status["failed"]) == ("complete", 2, 2, 1)
    assert status["results"] == f"s3://{BUCKET}/results/incoming-{FIRST}/results.jsonl"


def test_a_day_that_is_not_over_stays_open(rig):
    rig.drop("a", day=SECOND)
    for now in (datetime(2026, 1, 31, 23, 59, tzinfo=UTC), datetime(2026, 2, 1, 0, 9, tzinfo=UTC)):
        rig.now = now
        rig.close()
        assert (rig.rows(SECOND), rig.table.get(f"incoming-{SECOND}").state) == (None, "open")


def test_while_messages_are_outstanding_a_day_waits_but_not_for_ever(rig):
    rig.drop("a", day=SECOND)
    rig.pictures.bodies = ["of another batch"]
    rig.close()
    assert rig.rows(SECOND) is None
    rig.now = datetime(2026, 2, 2, 0, 0, tzinfo=UTC)
    rig.close()
    assert rig.rows(SECOND) == ["incoming/a.png"]


def test_closing_again_writes_nothing(rig):
    rig.drop("a", day=FIRST)
    rig.close()
    rig.objects.kept.pop(f"results/incoming-{FIRST}/results.jsonl")
    rig.close()
    assert rig.rows(FIRST) is None


def test_a_result_that_comes_late_is_in_the_files_after_the_next_hour(rig):
    rig.drop("a", day=FIRST)
    rig.close()
    rig.drop("b", day=FIRST)
    assert rig.rows(FIRST) == ["incoming/a.png"]
    rig.close()
    assert rig.rows(FIRST) == ["incoming/a.png", "incoming/b.png"]
    assert rig.table.get(f"incoming-{FIRST}").total == 2


def test_a_message_that_comes_twice_changes_nothing(rig):
    rig.drop("a", day=FIRST)
    rig.close()
    rig.drop("a", day=FIRST)
    assert rig.table.get(f"incoming-{FIRST}").done == 1


def test_results_that_dynamodb_may_have_deleted_are_never_taken_from_a_file(rig):
    """A message may be put back after a month; its day's other results are gone then, and the old file is not."""
    assert LOOK_BACK_DAYS + 1 < KEPT_DAYS
    rig.drop("a", day=FIRST)
    rig.now = datetime.fromisoformat(FIRST).replace(tzinfo=UTC) + timedelta(days=LOOK_BACK_DAYS + 1)
    rig.close()
    assert rig.rows(FIRST) is None


def test_with_little_time_the_rest_waits(rig):
    rig.drop("a", day=FIRST)
    rig.close(remaining_ms=1000)
    assert rig.rows(FIRST) is None
    rig.close()
    assert rig.rows(FIRST) == ["incoming/a.png"]


def test_a_day_that_fails_does_not_stop_the_others_and_is_tried_again(rig):
    rig.drop("a", day=FIRST)
    rig.drop("b", day=SECOND)
    name = f"results/incoming-{SECOND}/results.jsonl"
    rig.objects.failures[name] = ObjectForbidden("s3://x: access denied")
    with pytest.raises(ObjectForbidden):
        rig.close()
    assert (rig.rows(FIRST), rig.rows(SECOND)) == (["incoming/a.png"], None)
    assert rig.table.get(f"incoming-{SECOND}").state == "open"


def test_two_listers_do_not_write_one_day_at_once(moto_table, digits, seven, monkeypatch):
    rig = Rig(digits, moto_table, seven)
    rig.drop("a", day=FIRST)
    assert moto_table.claim(f"incoming-{FIRST}")
    rig.close()
    assert rig.rows(FIRST) is None
    import time

    later = time.time() + CLAIM_S + 1  # the claimant was ended
    monkeypatch.setattr("chalicelib.batch.table.time.time", lambda: later)
    rig.close()
    assert rig.rows(FIRST) == ["incoming/a.png"]
    rig.drop("b", day=FIRST)
    rig.close()
    assert rig.rows(FIRST) == ["incoming/a.png", "incoming/b.png"], "a claim ends with the files"


def test_a_claim_needs_a_batch(moto_table):
    assert not moto_table.claim("incoming-2026-01-01")


def test_the_schedule_sends_what_the_lister_reads():
    resources = json.loads((ROOT / ".chalice/resources.json").read_text())["Resources"]
    [target] = resources["DaysRule"]["Properties"]["Targets"]
    assert read_message(target["Input"]).do == "close" and target["Input"] == close_message()
    assert target["Arn"] == {"Fn::GetAtt": ["Listings", "Arn"]}
    statements = resources["ListingsPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    [allowed] = [one for one in statements if one["Effect"] == "Allow"]
    assert allowed["Condition"]["ArnEquals"] == {"aws:SourceArn": {"Fn::GetAtt": ["DaysRule", "Arn"]}}
