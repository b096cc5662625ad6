import json

import pytest

from chalicelib.config import Settings
from chalicelib.errors import ObjectForbidden
from chalicelib.workflow.classify import GroupClassifier
from chalicelib.workflow.finish import Reporter
from chalicelib.workflow.pictures import Picture, write_pictures
from tests.workflow.conftest import SEVEN


@pytest.fixture
def reporter(objects):
    return Reporter(objects, Settings(memory_mb=1769))


@pytest.fixture
def event(objects, store, run):
    """Three groups, of which the last one has no rows."""
    for group in range(3):
        keys = [f"in/{group}{number}" for number in range(10)]
        objects.kept |= dict.fromkeys(keys, SEVEN)
        write_pictures(objects, run, group, [Picture(key, "7") for key in keys])
        if group < 2:
            GroupClassifier(store, objects, 1_000_000).work({"run": run.to_dict(), "group": group})
    return {"run": run.to_dict(), "images": 30, "groups": 3}


def test_every_picture_is_counted_once(reporter, objects, event):
    told = reporter.report(event)
    assert told["report"] == "s3://pictures/workflows/e/x/report.json"
    assert told["page"] == "s3://pictures/workflows/e/x/report.html"
    report = json.loads(objects.kept["workflows/e/x/report.json"])
    assert report["counts"] == told["counts"]
    assert (report["counts"]["images"], report["counts"]["answered"], report["counts"]["failed"]) == (30, 20, 10)
    failures = [report["arms"][arm]["failures"] for arm in ("A", "B")]
    assert sum(found.get("GroupFailed", 0) for found in failures) == 10
    assert b"<html" in objects.kept["workflows/e/x/report.html"]


def test_a_bucket_that_refuses_once(reporter, objects, event):
    objects.failures["workflows/e/x/report.json"] = [ObjectForbidden("may not")]
    with pytest.raises(ObjectForbidden):
        reporter.report(event)
    first = dict(objects.kept)
    reporter.report(event)
    assert set(objects.kept) - set(first) == {"workflows/e/x/report.json"}
