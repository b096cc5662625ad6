import json

import pytest

from chalicelib.config import Settings
from chalicelib.errors import ObjectForbidden
from chalicelib.workflow.classify import GroupClassifier
from chalicelib.workflow.files import RunFiles
from chalicelib.workflow.pictures import Picture
from chalicelib.workflow.reporter import NothingAnswered, Reporter
from chalicelib.workflow.states import Listing, Plan
from tests.served.workflow.conftest import SEVEN


@pytest.fixture
def reporter(objects):
    return Reporter(objects, Settings(memory_mb=1769))


@pytest.fixture
def event(objects, digits, run):
    """Three groups, of which the last one has no rows."""
    for group in range(3):
        keys = [f"in/{group}{number}" for number in range(10)]
        objects.kept |= dict.fromkeys(keys, SEVEN)
        RunFiles(objects, run).write_pictures(group, [Picture(key, "7") for key in keys])
        if group < 2:
            GroupClassifier(digits, objects, 1_000_000).work({"run": run.to_dict(), "group": group})
    listing = Listing("pictures", "in/", None, 10, pictures=30, groups=3)
    return {"state": Plan(run, listing, "few", few=[0, 1, 2]).to_dict()}


def test_every_picture_is_counted_once(reporter, objects, event):
    answer = reporter.report(event)
    assert answer["report"] == "s3://pictures/workflows/e/x/report.json"
    assert answer["page"] == "s3://pictures/workflows/e/x/report.html"
    report = json.loads(objects.kept["workflows/e/x/report.json"])
    assert report["counts"] == answer["counts"]
    assert (report["counts"]["images"], report["counts"]["answered"], report["counts"]["failed"]) == (30, 20, 10)
    failures = [report["arms"][arm]["failures"] for arm in ("A", "B")]
    assert sum(found.get("GroupFailed", 0) for found in failures) == 10
    assert b"<html" in objects.kept["workflows/e/x/report.html"]


def test_why_the_map_failed_stands_for_what_was_not_recorded(reporter, objects, event):
    event["state"]["failure"] = {"Error": "States.ItemReaderFailed", "Cause": "Access Denied"}
    assert reporter.report(event)["counts"]["answered"] == 20
    report = json.loads(objects.kept["workflows/e/x/report.json"])
    failures = [report["arms"][arm]["failures"] for arm in ("A", "B")]
    assert sum(found["States.ItemReaderFailed"] for found in failures) == 10
    assert not any("GroupFailed" in found for found in failures)


@pytest.mark.parametrize("failure", [None, {"Error": "States.ItemReaderFailed", "Cause": "Access Denied"}])
def test_where_nothing_was_answered_the_report_is_written_and_the_execution_fails(reporter, objects, event, failure):
    for group in range(2):
        del objects.kept[f"workflows/e/x/rows/{group:06}.jsonl"]
    if failure:
        event["state"]["failure"] = failure
    with pytest.raises(NothingAnswered, match="none of 30 pictures was answered") as raised:
        reporter.report(event)
    assert ("States.ItemReaderFailed" in str(raised.value)) == bool(failure)
    assert str(raised.value).endswith("s3://pictures/workflows/e/x/report.html")
    assert {"workflows/e/x/report.json", "workflows/e/x/report.html"} <= set(objects.kept)


def test_a_bucket_that_refuses_once(reporter, objects, event):
    objects.failures["workflows/e/x/report.json"] = [ObjectForbidden("may not")]
    with pytest.raises(ObjectForbidden):
        reporter.report(event)
    first = dict(objects.kept)
    reporter.report(event)
    assert set(objects.kept) - set(first) == {"workflows/e/x/report.json"}
