import json
import threading
from dataclasses import replace

import pytest

from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.errors import ModelError, SecondModelError, StorageError
from chalicelib.inference.store import ModelStore
from chalicelib.split import Split
from chalicelib.workflow.classify import AT_ONCE, GroupClassifier
from chalicelib.workflow.files import RunFiles
from chalicelib.workflow.pictures import Picture
from tests.served.workflow.conftest import SEVEN, FakeObjects
from tests.support.bundles import write_bundle

COUNT = 30
ROWS = "workflows/e/x/rows/000004.jsonl"


@pytest.fixture
def classifier(digits, objects):
    return GroupClassifier(digits, objects, 1_000_000)


@pytest.fixture
def pictures(objects, run):
    keys = [f"in/{number:03} ü+%.png" for number in range(COUNT)]
    objects.kept |= dict.fromkeys(keys, SEVEN)
    RunFiles(objects, run).write_pictures(4, [Picture(key, "7") for key in keys])
    return keys


def event(run, **more):
    return {"run": run.to_dict(), "group": 4, **more}


def rows_of(objects):
    return objects.lines(ROWS)


def with_second(run, name):
    return replace(run, split=Split("e", "digits", name, 0.5))


def test_a_group(classifier, objects, run, pictures):
    assert classifier.work(event(run)) == {"group": 4, "images": COUNT, "errors": 0, "fallbacks": 0}
    rows = rows_of(objects)
    assert [row["key"] for row in rows] == pictures
    assert [row["arm"] for row in rows] == [run.split.arm(key) for key in pictures]
    assert ["shadow_label" in row for row in rows] == [run.is_shadowed(key) for key in pictures]
    assert {(row["label"], row["expected"], row["model"]) for row in rows} == {("7", "7", "digits")}
    assert all(row["total_ms"] >= row["inference_ms"] > 0 for row in rows)


def test_the_first_log_line_names_what_the_model_runs_on(objects, run, pictures, log_lines):
    store = ModelStore(Settings(model_dirs=(EMBEDDED_MODELS,), num_threads=1))
    classifier = GroupClassifier(store, objects, 1_000_000)
    for _ in range(2):
        classifier.work(event(run))
    first, second = [line for line in log_lines() if line["event"] == "group"]
    assert first["model"] == "digits" and {"features", "outside_delegate", "cold_start_ms"} <= set(first)
    assert set(second) == {"event", "prefix", "group", "images", "errors", "fallbacks"}


def test_a_group_done_twice_is_written_once(classifier, objects, run, pictures):
    classifier.work(event(run))
    classifier.work(event(run))
    assert [key for key in objects.kept if "/rows/" in key] == [ROWS]
    assert len(rows_of(objects)) == COUNT


def test_pictures_with_errors_are_rows(classifier, objects, run, pictures):
    objects.kept[pictures[3]] = b"no picture"
    del objects.kept[pictures[5]]
    objects.kept[pictures[8]] = b"x" * 1_000_001
    assert classifier.work(event(run))["errors"] == 3
    codes = {row["key"]: row["error"]["Code"] for row in rows_of(objects) if "error" in row}
    assert codes == {
        pictures[3]: "UnsupportedMediaTypeError",
        pictures[5]: "NotFoundError",
        pictures[8]: "PayloadTooLargeError",
    }


def test_a_temporary_error_leaves_no_rows(classifier, objects, run, pictures):
    objects.failures[pictures[20]] = [StorageError("s3: SlowDown")]
    with pytest.raises(StorageError):
        classifier.work(event(run))
    assert ROWS not in objects.kept
    assert classifier.work(event(run))["images"] == COUNT


class SlowLast(FakeObjects):
    """The last picture of the first eight arrives when a model has begun, or else after a third of a second."""

    def __init__(self, slow_key, began):
        super().__init__()
        self.arrived, self._slow_key, self._began = [], slow_key, began

    def read(self, bucket, key, max_bytes):
        if key == self._slow_key:
            self._began.wait(0.33)
        data = super().read(bucket, key, max_bytes)
        self.arrived.append(key)
        return data


class WatchedStore:
    """One model, which notes how many pictures had arrived when it began with each."""

    def __init__(self, model, arrived, began):
        self._model, self._arrived, self._began, self.had_arrived = model, arrived, began, []

    def get(self, name):
        return self

    def warm(self):
        self._model.warm()

    def first_answer(self):
        return {}

    def classify(self, data, top_k, spans):
        self.had_arrived.append(len(self._arrived))
        self._began.set()
        return self._model.classify(data, top_k, spans)


def test_no_model_begins_before_all_pictures_of_its_chunk_have_arrived_and_none_arrives_meanwhile(digits, run):
    run, began = replace(run, shadow=0.0), threading.Event()
    keys = [f"in/{number:03}.png" for number in range(2 * AT_ONCE + 3)]
    objects = SlowLast(keys[AT_ONCE - 1], began)
    objects.kept |= dict.fromkeys(keys, SEVEN)
    RunFiles(objects, run).write_pictures(4, [Picture(key) for key in keys])
    watched = WatchedStore(digits.get("digits"), objects.arrived, began)
    GroupClassifier(watched, objects, 1_000_000).work(event(run))
    groups_file = 1
    chunks = [AT_ONCE] * AT_ONCE + [2 * AT_ONCE] * AT_ONCE + [len(keys)] * 3
    assert watched.had_arrived == [groups_file + arrived for arrived in chunks]


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
        rows = rows_of(objects)
        of_b = [row for row in rows if row["arm"] == "B"]
        assert counts["fallbacks"] == len(of_b) > 0
        assert all(row["fallback"] and row["model"] == "digits" for row in of_b)
        assert {row["because"] for row in of_b} == {"SecondModelError"}
        assert not any("because" in row for row in rows if row["arm"] == "A")
        assert not any(row.get("fallback") or "shadow_label" in row for row in rows if row["arm"] == "A")

    @pytest.mark.parametrize("name", ["absent", "corrupt"])
    def test_the_first_has_no_fallback(self, corrupt, run, pictures, name):
        run = replace(run, split=Split("e", name, "digits", 0.5))
        with pytest.raises(ModelError, match=name):
            corrupt.work(event(run))

    def test_it_is_not_asked_for_where_it_has_no_picture(self, corrupt, run, pictures):
        run = replace(run, split=Split("e", "digits", "absent", 0.0), shadow=0.0)
        assert corrupt.work(event(run))["fallbacks"] == 0

    def test_the_reason_is_in_the_rows(self, classifier, objects, run, pictures):
        classifier.work(event(run, instead=True, because="Sandbox.Timedout"))
        rows = rows_of(objects)
        assert {(row["arm"], row.get("because")) for row in rows} == {("A", None), ("B", "Sandbox.Timedout")}


class Fragile:
    """A model that fails on some inferences, by number; warming is the first one."""

    def __init__(self, model, failure, fails):
        self._model, self._failure, self._fails, self.inferences = model, failure, fails, 0

    def warm(self):
        self._infer()
        self._model.warm()

    def classify(self, data, top_k, spans):
        self._infer()
        return self._model.classify(data, top_k, spans)

    def _infer(self):
        self.inferences += 1
        if self.inferences in self._fails:
            raise self._failure


class FragileStore:
    """Has the model `digits` under that name and, with failures, as `fragile`."""

    def __init__(self, store, failure, fails):
        self._store = store
        self._fragile = Fragile(store.get("digits"), failure, fails)

    def get(self, name):
        return self._fragile if name == "fragile" else self._store.get(name)

    def first_answer(self):
        return self._store.first_answer()


FAILURES = [RuntimeError("secret: engine at 0x7f"), ModelError("answers with values that are not numbers")]
EVERY, FIRST, FIFTH = range(1, 1000), range(1, 2), range(5, 6)


@pytest.mark.parametrize("failure", FAILURES, ids=["engine", "nan"])
class TestUnforeseen:
    @pytest.fixture
    def fragile(self, digits, objects, failure):
        return lambda fails: GroupClassifier(FragileStore(digits, failure, fails), objects, 1_000_000)

    @pytest.mark.parametrize("fails", [EVERY, FIRST], ids=["every", "first"])
    def test_a_second_model_that_does_not_answer_at_all(self, fragile, objects, run, pictures, fails, failure):
        run = with_second(run, "fragile")
        with pytest.raises(SecondModelError, match=str(failure)):
            fragile(fails).work(event(run))
        assert ROWS not in objects.kept

    def test_one_picture_of_the_second_falls_back(self, fragile, objects, run, pictures):
        run = replace(with_second(run, "fragile"), shadow=0.0)
        assert fragile(FIFTH).work(event(run)) == {"group": 4, "images": COUNT, "errors": 0, "fallbacks": 1}
        of_b = [row for row in rows_of(objects) if row["arm"] == "B"]
        assert [(n, row["model"], row["because"]) for n, row in enumerate(of_b) if row["fallback"]] == [
            (3, "digits", "SecondModelError")
        ]

    def test_one_shadow_answer_is_missing(self, fragile, objects, run, pictures):
        run = replace(run, split=Split("e", "digits", "fragile", 0.0), shadow=1.0)
        assert fragile(FIFTH).work(event(run)) == {"group": 4, "images": COUNT, "errors": 0, "fallbacks": 0}
        assert [n for n, row in enumerate(rows_of(objects)) if "shadow_label" not in row] == [3]

    def test_one_picture_of_the_first_is_an_error(self, fragile, objects, run, pictures, capsys, failure):
        run = replace(run, split=Split("e", "fragile", "digits", 0.0), shadow=0.0)
        assert fragile(FIFTH).work(event(run)) == {"group": 4, "images": COUNT, "errors": 1, "fallbacks": 0}
        rows = rows_of(objects)
        assert [n for n, row in enumerate(rows) if "error" in row] == [3]
        assert rows[3]["error"] == {"Code": "InternalServerError", "Message": "An internal server error occurred."}
        assert type(failure).__name__ in capsys.readouterr().out

    def test_a_first_model_that_does_not_answer_at_all_fails_the_group(self, fragile, run, pictures):
        run = replace(run, split=Split("e", "fragile", "digits", 0.5))
        with pytest.raises(ModelError) as raised:
            fragile(EVERY).work(event(run))
        assert "secret" not in str(raised.value)


class TestFailure:
    def test_it_is_a_row_for_each_picture(self, classifier, objects, run, pictures):
        cause = json.dumps({"errorMessage": "Task timed out after 60.00 seconds", "stackTrace": ["secret"]})
        failure = {"Error": "Sandbox.Timedout", "Cause": cause}
        assert classifier.work(event(run, failure=failure))["errors"] == COUNT
        rows = rows_of(objects)
        assert {row["error"]["Code"] for row in rows} == {"Sandbox.Timedout"}
        assert {row["error"]["Message"] for row in rows} == {"Task timed out after 60.00 seconds"}
        assert [row["arm"] for row in rows] == [run.split.arm(key) for key in pictures]

    @pytest.mark.parametrize("cause", [None, "", "text " * 100, "[1]", "5"])
    def test_whatever_the_cause_is(self, classifier, objects, run, pictures, cause):
        classifier.work(event(run, failure={"Error": "E", "Cause": cause}))
        assert all(len(row["error"]["Message"]) <= 200 for row in rows_of(objects))
