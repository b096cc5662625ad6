"""Where a run's files are, and what is in them, byte for byte."""

import pytest

from chalicelib.errors import ObjectGone
from chalicelib.workflow.files import RunFiles
from chalicelib.workflow.pictures import Picture
from chalicelib.workflow.report.row import Row

PICTURES = [Picture("in/ü.png", "7"), Picture("in/b.png")]
ROWS = [Row("in/ü.png", "A", "digits", "7", 0.5, expected="7"), Row("in/b.png", "B", error={"Code": "C"})]


@pytest.fixture
def files(objects, run):
    return RunFiles(objects, run)


def test_pictures(files, objects):
    files.write_pictures(12, iter(PICTURES))
    assert objects.kept == {
        "workflows/e/x/groups/000012.jsonl": b'{"key":"in/\\u00fc.png","expected":"7"}\n{"key":"in/b.png"}\n'
    }
    assert files.read_pictures(12) == PICTURES


def test_rows_of_all_groups(files, objects, run):
    for group in (0, 2):
        files.write_rows(group, iter(ROWS))
    files.write_pictures(1, PICTURES)
    lost = [
        Row(p.key, run.split.arm(p.key), error={"Code": "E", "Message": "C"}, expected=p.expected) for p in PICTURES
    ]
    assert list(files.read_all_rows(3, {"Error": "E", "Cause": "C"})) == [*ROWS, *lost, *ROWS]
    assert objects.kept["workflows/e/x/rows/000002.jsonl"] == (
        b'{"key":"in/\\u00fc.png","arm":"A","model":"digits","label":"7","score":0.5,"fallback":false,"expected":"7"}\n'
        b'{"key":"in/b.png","arm":"B","fallback":false,"error":{"Code":"C"}}\n'
    )


def test_a_group_of_which_nothing_is_left(files):
    with pytest.raises(ObjectGone):
        list(files.read_all_rows(1))


def test_the_manifest(files, objects):
    assert files.write_manifest(2) == {
        "bucket": "pictures", "key": "workflows/e/x/groups.json", "results": "workflows/e/x/map",
    }  # fmt: skip
    assert objects.kept == {"workflows/e/x/groups.json": b'[{"group": 0}, {"group": 1}]'}


def test_the_report(files, objects):
    assert files.write_report('{"é": 1}\n', "<p>é") == (
        "s3://pictures/workflows/e/x/report.json",
        "s3://pictures/workflows/e/x/report.html",
    )
    assert list(objects.kept.items()) == [
        ("workflows/e/x/report.html", "<p>é".encode()),
        ("workflows/e/x/report.json", '{"é": 1}\n'.encode()),
    ]
