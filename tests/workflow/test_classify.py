import json
from dataclasses import replace

import pytest

from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.errors import ModelError, SecondModelError, StorageError
from chalicelib.model_store import ModelStore
from chalicelib.split import Split
from chalicelib.workflow.classify import GroupClassifier
from chalicelib.workflow.pictures import Picture, write_pictures
from tests.bundles import write_bundle
from tests.workflow.conftest import SEVEN

COUNT = 30


@pytest.fixture
def classifier(store, objects):
    return GroupClassifier(store, objects, 1_000_000)


@pytest.fixture
def pictures(objects, run):
    keys = [f"in/{number:03} ü+%.png" for number in range(COUNT)]
    objects.kept |= dict.fromkeys(keys, SEVEN)
    write_pictures(objects, run, 4, [Picture(key, "7") for key in keys])
    return keys


def event(run, **more):
    return {"run": run.to_dict(), "group": 4, **more}


def rows_of(objects, run):
    return objects.lines(run.rows_key(4))


def with_second(run, name):
    return replace(run, split=Split("e", "digits", name, 0.5))


def test_a_group(classifier, objects, run, pictures):
    assert classifier.work(event(run)) == {"group": 4, "images": COUNT, "errors": 0, "fallbacks": 0}
    rows = rows_of(objects, run)
    assert [row["key"] for row in rows] == pictures
    assert [row["arm"] for row in rows] == [run.split.arm(key) for key in pictures]
    assert ["shadow_label" in row for row in rows] == [run.is_shadowed(key) for key in pictures]
    assert {(row["label"], row["expected"], row["model"]) for row in rows} == {("7", "7", "digits")}
    assert all(row["total_ms"] >= row["inference_ms"] > 0 for row in rows)


def test_a_group_done_twice_is_written_once(classifier, objects, run, pictures):
    classifier.work(event(run))
    classifier.work(event(run))
    assert [key for key in objects.kept if "/rows/" in key] == [run.rows_key(4)]
    assert len(rows_of(objects, run)) == COUNT


def test_pictures_with_errors_are_rows(classifier, objects, run, pictures):
    objects.kept[pictures[3]] = b"no picture"
    del objects.kept[pictures[5]]
    objects.kept[pictures[8]] = b"x" * 1_000_001
    assert classifier.work(event(run))["errors"] == 3
    codes = {row["key"]: row["error"]["Code"] for row in rows_of(objects, run) if "error" in row}
    assert codes == {
        pictures[3]: "UnsupportedMediaTypeError",
        pictures[5]: "NotFoundError",
        pictures[8]: "PayloadTooLargeError",
    }


def test_a_service_that_fails_for_a_moment_leaves_no_rows(classifier, objects, run, pictures):
    objects.failures[pictures[20]] = [StorageError("s3: SlowDown")]
    with pytest.raises(StorageError):
        classifier.work(event(run))
    assert run.rows_key(4) not in objects.kept
    assert classifier.work(event(run))["images"] == COUNT


class TestSecondModel:
    @pytest.fixture
    def corrupt(self, objects, tmp_path):
        folder = write_bundle(tmp_path, name="corrupt")
        model = bytearray((folder / "model.tflite").read_bytes())
        model[200] ^= 4
        (folder / "model.tflite").write_bytes(bytes(model))
        write_bundle(tmp_path, "not_a_number")
        settings = Settings(model_dirs=(tmp_path, EMBEDDED_MODELS), num_threads=1)
        return GroupClassifier(ModelStore(settings), objects, 1_000_000)

    @pytest.mark.parametrize("name", ["absent", "corrupt", "not_a_number"])
    def test_it_fails_for_good_and_the_first_takes_over(self, corrupt, objects, run, pictures, name):
        run = with_second(run, name)
        with pytest.raises(SecondModelError, match=name):
            corrupt.work(event(run))
        counts = corrupt.work(event(run, instead=True))
        rows = rows_of(objects, run)
        of_b = [row for row in rows if row["arm"] == "B"]
        assert counts["fallbacks"] == len(of_b) > 0
        assert all(row["fallback"] and row["model"] == "digits" for row in of_b)
        assert not any(row.get("fallback") or "shadow_label" in row for row in rows if row["arm"] == "A")

    @pytest.mark.parametrize("name", ["absent", "corrupt"])
    def test_the_first_has_nobody_to_take_over(self, corrupt, run, pictures, name):
        run = replace(run, split=Split("e", name, "digits", 0.5))
        with pytest.raises(ModelError, match=name):
            corrupt.work(event(run))

    def test_it_is_not_asked_for_where_it_has_no_picture(self, corrupt, run, pictures):
        run = replace(run, split=Split("e", "digits", "absent", 0.0), shadow=0.0)
        assert corrupt.work(event(run))["fallbacks"] == 0


class TestFailure:
    def test_it_is_a_row_for_each_picture(self, classifier, objects, run, pictures):
        cause = json.dumps({"errorMessage": "Task timed out after 60.00 seconds", "stackTrace": ["secret"]})
        failure = {"Error": "Sandbox.Timedout", "Cause": cause}
        assert classifier.work(event(run, failure=failure))["errors"] == COUNT
        rows = rows_of(objects, run)
        assert {row["error"]["Code"] for row in rows} == {"Sandbox.Timedout"}
        assert {row["error"]["Message"] for row in rows} == {"Task timed out after 60.00 seconds"}
        assert [row["arm"] for row in rows] == [run.split.arm(key) for key in pictures]

    @pytest.mark.parametrize("cause", [None, "", "text " * 100, "[1]", "5"])
    def test_whatever_the_cause_is(self, classifier, objects, run, pictures, cause):
        classifier.work(event(run, failure={"Error": "E", "Cause": cause}))
        assert all(len(row["error"]["Message"]) <= 200 for row in rows_of(objects, run))
