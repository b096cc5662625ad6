import json

import pytest

from chalicelib.config import Settings
from chalicelib.errors import InvalidRequest, ModelError, ObjectGone, StorageError, UnknownModel
from chalicelib.inference.store import ModelStore
from chalicelib.workflow import plan
from chalicelib.workflow.files import RunFiles
from chalicelib.workflow.plan import FEW_GROUPS, Planner
from chalicelib.workflow.states import Plan
from tests.support.bundles import write_bundle

INPUT = {"experiment": "e", "models": ["digits", "second"], "source": "s3://pictures/in/", "group": 3}
FOREVER = lambda: 1e9  # noqa: E731
NO_TIME = lambda: 0.0  # noqa: E731


@pytest.fixture
def planner(digits, objects):
    return Planner(digits, objects, page=4)


def keys_of(objects, answer):
    plan = Plan.from_dict(answer)
    files = RunFiles(objects, plan.run)
    return [[picture.key for picture in files.read_pictures(group)] for group in range(plan.listing.groups)]


def put(objects, count, prefix="in/"):
    keys = [f"{prefix}{number:03}.png" for number in range(count)]
    objects.kept |= dict.fromkeys(keys, b"picture")
    return keys


def begin(planner, remaining_ms=FOREVER, **changes):
    return planner.plan({"execution": "x", "state": {**INPUT, **changes}}, remaining_ms)


def test_few_pictures(planner, objects):
    keys = put(objects, 7)
    answer = begin(planner)
    assert answer["run"] == {
        "bucket": "pictures", "prefix": "workflows/e/x/", "experiment": "e",
        "models": ["digits", "second"], "weight": 0.5, "shadow": 0.1,
    }  # fmt: skip
    assert (answer["next"], answer["few"]) == ("few", [0, 1, 2])
    assert [key for group in keys_of(objects, answer) for key in group] == keys
    assert answer["listing"]["images"] == 7


def test_many_pictures(planner, objects):
    keys = put(objects, 3 * FEW_GROUPS + 4)
    answer = begin(planner)
    assert answer["next"] == "many" and "few" not in answer
    assert answer["manifest"] == {
        "bucket": "pictures", "key": "workflows/e/x/groups.json", "results": "workflows/e/x/map",
    }  # fmt: skip
    groups = json.loads(objects.kept["workflows/e/x/groups.json"])
    assert groups == [{"group": number} for number in range(answer["listing"]["groups"])]
    assert [key for group in keys_of(objects, answer) for key in group] == keys


def test_a_listing_continues_where_its_time_ended(planner, objects):
    keys = put(objects, 21)
    answer, calls = begin(planner, NO_TIME), 1
    while answer["next"] == "more":
        again = planner.plan({"execution": "x", "state": answer}, NO_TIME)
        repeated = planner.plan({"execution": "x", "state": answer}, NO_TIME)  # the first answer was lost
        assert again == repeated
        answer, calls = again, calls + 1
    assert calls == 6
    assert [key for group in keys_of(objects, answer) for key in group] == keys


def test_folders_and_files_of_executions_are_not_pictures(planner, objects):
    put(objects, 2, "")
    objects.kept |= {"folder/": b"", "workflows/e/old/rows/000000.jsonl": b"{}"}
    answer = begin(planner, source="s3://pictures")
    assert keys_of(objects, answer) == [["000.png", "001.png"]]


def test_pictures_that_are_named(planner, objects):
    answer = begin(planner, images=["b", "a", "b"])
    assert (keys_of(objects, answer), objects.pages) == ([["b", "a"]], 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.csv", "key,label\nin/000.png,seven\nin/001.png,\"a, b\"\n"),
        ("labels.csv", "\ufeffkey,label\r\nin/000.png,seven\r\nin/001.png,\"a, b\"\r\n"),
        ("labels.jsonl", '{"key": "in/000.png", "label": "seven"}\n\n{"key": "in/001.png", "label": "a, b"}\n'),
    ],
)  # fmt: skip
def test_labels_from_a_file(planner, objects, name, content):
    put(objects, 3)
    objects.kept[name] = content.encode()
    begin(planner, labels=f"s3://pictures/{name}")
    rows = objects.lines("workflows/e/x/groups/000000.jsonl")
    assert [row.get("expected") for row in rows] == ["seven", "a, b", None]


def test_labels_that_are_folders(planner, objects):
    objects.kept |= {"in/7/a.png": b"x", "in/b.png": b"x"}
    begin(planner, labels="folders")
    rows = objects.lines("workflows/e/x/groups/000000.jsonl")
    assert [row["expected"] for row in rows] == ["7", "in"]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"name,label\na,b\n", b"key,label\na\n", b""])
def test_labels_that_cannot_be_read(planner, objects, content):
    put(objects, 1)
    objects.kept["labels.csv"] = content
    if content:
        with pytest.raises(InvalidRequest, match="first line is key,label"):
            begin(planner, labels="s3://pictures/labels.csv")
    else:
        assert begin(planner, labels="s3://pictures/labels.csv")["next"] == "few"


def test_errors_that_a_retry_does_not_help(planner, objects):
    with pytest.raises(ObjectGone, match="no object is under s3://pictures/in/"):
        begin(planner)
    with pytest.raises(UnknownModel, match="no model is called 'absent'"):
        begin(planner, models=["absent", "digits"])
    for state in (None, 5, [], "listing"):
        with pytest.raises(InvalidRequest):
            planner.plan({"execution": "x", "state": state}, FOREVER)


def test_a_first_model_that_does_not_answer(objects, tmp_path):
    write_bundle(tmp_path, "not_a_number")
    planner = Planner(ModelStore(Settings(model_dirs=(tmp_path,), num_threads=1)), objects)
    put(objects, 1)
    with pytest.raises(ModelError, match="values that are not numbers"):
        begin(planner, models=["not_a_number", "digits"])
    assert not any(key.startswith("workflows/") for key in objects.kept)


def test_the_file_of_labels_is_not_a_picture(planner, objects):
    keys = put(objects, 2)
    objects.kept["in/labels.csv"] = b"key,label\nin/000.png,7\n"
    answer = begin(planner, labels="s3://pictures/in/labels.csv")
    assert keys_of(objects, answer) == [keys]


def test_too_many_groups(planner, objects, monkeypatch):
    put(objects, 40)
    monkeypatch.setattr(plan, "MAX_GROUPS", 4)
    with pytest.raises(InvalidRequest, match='more than 4 groups of 3: give a larger "group", up to 500, or a narrow'):
        begin(planner)


def test_the_second_model_need_not_be_there(planner, objects):
    put(objects, 1)
    assert begin(planner, models=["digits", "absent"])["next"] == "few"


def test_a_write_that_fails_once(planner, objects):
    put(objects, 7)
    objects.failures["workflows/e/x/groups/000001.jsonl"] = [StorageError("s3: SlowDown")]
    with pytest.raises(StorageError):
        begin(planner)
    assert begin(planner)["listing"]["groups"] == 3
