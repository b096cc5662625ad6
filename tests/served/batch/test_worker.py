"""Messages in, results and retries out: a permanent error is a result, a temporary one comes again."""

import json
import threading
import time
from typing import Any

import pytest

from chalicelib.aws.events import PictureRef
from chalicelib.aws.s3 import Fetched
from chalicelib.batch.record import Batch
from chalicelib.batch.worker import MARGIN_MS, Worker
from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.errors import ObjectForbidden, StorageError
from chalicelib.inference.answer import answer
from chalicelib.inference.store import ModelStore
from tests.served.conftest import BUCKET
from tests.support.fakes import FakeObjects, FakeQueue, FakeTable, event_of, failed_of
from tests.support.pictures import png_claiming

MAX_BYTES = 5000


def minute() -> float:
    return 60_000.0


class Rig:
    """A worker with fakes around it, and a batch that it works on."""

    def __init__(self, store: ModelStore, contents: dict[str, bytes]) -> None:
        self.objects, self.table = FakeObjects(contents), FakeTable()
        self.pictures, self.listings = FakeQueue(), FakeQueue()
        self.worker = Worker(store, self.objects, self.table, self.pictures, self.listings, MAX_BYTES)
        self.table.create(Batch("b1", BUCKET, "in/", BUCKET, "results/b1/", time.time()))

    def work(self, *refs: PictureRef | str, again=(), receives=2, remaining_ms=minute) -> list[str]:
        bodies = [ref if isinstance(ref, str) else ref.to_message() for ref in refs]
        return failed_of(self.worker.work(event_of(*bodies, again=again, receives=receives), remaining_ms))

    def rows(self, batch_id: str = "b1") -> dict[str, dict]:
        return {result.key: result.row() for result in self.table.results(batch_id)}


def ref(key: str, **fields) -> PictureRef:
    return PictureRef(BUCKET, key, **{"batch": "b1", **fields})


@pytest.fixture
def rig(digits, seven):
    return Rig(
        digits,
        {
            "in/seven.png": seven,
            "in/text.png": b"no picture",
            "in/cut.png": seven[:60],
            "in/wide.png": png_claiming(1, 39_999_999),
            "in/large.png": seven + b"x" * MAX_BYTES,
        },
    )


@pytest.fixture(autouse=True)
def quiet(capsys):
    yield
    capsys.readouterr()


class TestAnswers:
    def test_a_picture(self, rig, digits, seven):
        assert rig.work(ref("in/seven.png", top_k=2)) == []
        row = rig.rows()["in/seven.png"]
        assert row == {"key": "in/seven.png", **answer(digits, lambda: seven, None, 2)}
        assert (row["predictions"][0]["label"], len(row["predictions"])) == ("7", 2)
        assert row["model"]["name"] == "digits"

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            (ref("in/text.png"), "UnsupportedMediaTypeError"),
            (ref("in/cut.png"), "UnprocessableEntityError"),
            (ref("in/wide.png"), "PayloadTooLargeError"),
            (ref("in/large.png"), "PayloadTooLargeError"),
            (ref("in/none.png"), "NotFoundError"),
            (ref("in/seven.png", model="none"), "NotFoundError"),
            (ref("in/seven.png", top_k=11), "BadRequestError"),
        ],
        ids=lambda value: value if isinstance(value, str) else value.key,
    )
    def test_what_never_succeeds_is_a_result_at_once(self, rig, given, code):
        assert rig.work(given) == []
        assert rig.rows()[given.key]["error"]["Code"] == code
        assert rig.table.get("b1").failed == 1

    def test_a_forbidden_object(self, rig):
        rig.objects.failures["in/seven.png"] = ObjectForbidden("s3://x: access denied")
        assert rig.work(ref("in/seven.png")) == []
        assert rig.rows()["in/seven.png"]["error"]["Code"] == "ForbiddenError"

    def test_its_milliseconds_are_those_of_waiting_and_classifying(self, rig, digits, monkeypatch):
        fetch, get, attempted = rig.objects.fetch, digits.get, threading.Event()

        def slow(*arguments) -> Fetched:
            assert attempted.wait(60)
            time.sleep(0.05)
            return fetch(*arguments)

        def asked(model: str | None = None) -> Any:
            attempted.set()  # from here on the worker waits for the bytes
            return get(model)

        monkeypatch.setattr(rig.objects, "fetch", slow)
        monkeypatch.setattr(digits, "get", asked)
        began = time.perf_counter()
        rig.work(ref("in/seven.png"), ref("in/text.png"))
        wall_ms = (time.perf_counter() - began) * 1000
        took_ms = [result.milliseconds for result in rig.table.results("b1")]
        assert max(took_ms) >= 50
        assert sum(took_ms) <= wall_ms  # both were fetched at once: the sum is the time for which the worker was busy

    def test_what_the_event_says_is_too_large_is_not_asked_for(self, rig):
        rig.work(ref("in/seven.png", size_bytes=MAX_BYTES + 1))
        assert rig.objects.reads == []
        assert rig.rows()["in/seven.png"]["error"]["Code"] == "PayloadTooLargeError"


class TestFailures:
    def test_one_that_may_succeed_later_among_nine_good(self, rig, seven):
        rig.objects.kept |= {f"in/{n}.png": seven for n in range(10)}
        rig.objects.failures["in/4.png"] = StorageError("s3://x: SlowDown")
        assert rig.work(*(ref(f"in/{n}.png") for n in range(10))) == ["m4"]
        assert sorted(rig.rows()) == [f"in/{n}.png" for n in range(10) if n != 4]
        del rig.objects.failures["in/4.png"]
        assert rig.work(ref("in/4.png")) == []
        assert len(rig.rows()) == 10

    def test_one_that_nobody_understands_among_good_ones(self, rig):
        assert rig.work("no JSON", ref("in/seven.png"), "{}") == ["m0", "m2"]
        assert list(rig.rows()) == ["in/seven.png"]

    def test_a_key_that_is_no_text_takes_no_other_one_along(self, rig):
        """Half of a surrogate pair: no service could store it."""
        assert rig.work(r'{"bucket": "b", "key": "in/\ud800.png", "batch": "b1"}', ref("in/seven.png")) == ["m0"]
        assert list(rig.rows()) == ["in/seven.png"]

    def test_all_bad(self, rig):
        assert rig.work("1", "2") == ["m0", "m1"]

    def test_none_at_all(self, rig):
        assert rig.work() == []

    def test_an_unforeseen_exception(self, rig):
        rig.objects.failures["in/seven.png"] = RuntimeError("?")
        assert rig.work(ref("in/seven.png"), ref("in/text.png")) == ["m0"]

    def test_no_time_left(self, rig):
        left = iter([60_000.0, MARGIN_MS - 1, 0.0])
        keys = ("in/seven.png", "in/text.png", "in/cut.png")
        assert rig.work(*map(ref, keys), remaining_ms=lambda: next(left)) == ["m1", "m2"]
        assert list(rig.rows()) == ["in/seven.png"]

    def test_exactly_the_margin_is_time_enough(self, rig):
        assert rig.work(ref("in/seven.png"), remaining_ms=lambda: float(MARGIN_MS)) == []

    def test_one_of_the_pictures_of_a_message(self, rig):
        """The message comes again, and its good picture then has a result already."""
        rig.objects.failures["in/cut.png"] = [StorageError("s3://x: SlowDown")]
        keys = ("in/seven.png", "in/cut.png", "in/text.png")
        message = json.dumps([json.loads(ref(key).to_message()) for key in keys])
        assert rig.work(message) == ["m0"]
        assert list(rig.rows()) == ["in/seven.png"]
        assert rig.work(message) == []
        assert sorted(rig.rows()) == sorted(keys)

    def test_only_the_messages_of_the_batch_that_cannot_be_stored_come_again(self, rig, monkeypatch):
        record = rig.table.record

        def refuse(batch_id, results):
            if batch_id == "b2":
                raise StorageError("table")
            return record(batch_id, results)

        monkeypatch.setattr(rig.table, "record", refuse)
        assert rig.work(ref("in/seven.png"), ref("in/text.png", batch="b2"), ref("in/cut.png")) == ["m1"]
        assert sorted(rig.rows()) == ["in/cut.png", "in/seven.png"]

    def test_results_that_cannot_be_stored(self, rig, monkeypatch):
        def refuse(*_):
            raise StorageError("table")

        monkeypatch.setattr(rig.table, "record", refuse)
        assert rig.work(ref("in/seven.png"), ref("in/text.png")) == ["m0", "m1"]

    def test_killed_after_storing_and_before_answering(self, rig):
        """The message comes again: the result stays as it is, counts do too, and the end is not forgotten."""
        rig.table.advance(rig.table.get("b1"), "in/seven.png", 1, last=True)
        rig.worker.work(event_of(ref("in/seven.png").to_message()), minute)
        rig.listings.bodies.clear()
        assert rig.work(ref("in/seven.png")) == []
        assert rig.table.get("b1").done == 1
        assert [json.loads(body) for body in rig.listings.bodies] == [{"do": "finish", "batch": "b1"}]


class Failing:
    """A store whose model raises an exception on some contents, and answers others."""

    def __init__(self, store: ModelStore, fails: dict[bytes, Exception]) -> None:
        self._store, self._fails = store, fails

    def get(self, name: str | None = None) -> Any:
        self._model = self._store.get(name)
        return self

    @property
    def labels(self) -> Any:
        return self._model.labels

    @property
    def card(self) -> Any:
        return self._model.card

    def first_answer(self) -> dict[str, Any]:
        return {}

    def classify(self, data: bytes, *more: Any) -> Any:
        if data in self._fails:
            raise self._fails[data]
        return self._model.classify(data, *more)


UNLUCKY = b"a picture that the engine cannot take"


class TestAModelThatFails:
    """On one picture: it is tried as often as its queue allows, and then it is its result. Its batch completes."""

    @pytest.fixture
    def rig(self, digits, seven):
        contents = {"in/a.png": seven, "in/unlucky.png": UNLUCKY, "in/z.png": seven}
        rig = Rig(Failing(digits, {UNLUCKY: RuntimeError("secret: node 5 failed to invoke")}), contents)
        rig.table.advance(rig.table.get("b1"), "in/z.png", 3, last=True)
        return rig

    def test_each_picture_gets_one_result_and_the_batch_its_end(self, rig, capsys):
        refs = [ref(key) for key in rig.objects.kept]
        assert rig.work(*refs) == ["m1"]
        assert rig.work(refs[1], again={0}, receives=2) == ["m0"]
        assert (rig.table.get("b1").done, rig.listings.bodies) == (2, [])
        capsys.readouterr()
        assert rig.work(refs[1], again={0}, receives=3) == []
        error = rig.rows()["in/unlucky.png"]["error"]
        assert error["Code"] == "InternalServerError"
        assert "the last of 3 tries" in error["Message"] and "secret" not in error["Message"]
        assert "secret: node 5" in capsys.readouterr().out  # the log has the reason
        assert (rig.table.get("b1").done, rig.table.get("b1").failed, len(rig.rows())) == (3, 1, 3)
        assert [json.loads(body) for body in rig.listings.bodies] == [{"do": "finish", "batch": "b1"}]

    def test_the_queue_says_how_often(self, rig, monkeypatch):
        monkeypatch.setattr(rig.pictures, "max_receives", lambda: 5)
        assert rig.work(ref("in/unlucky.png"), again={0}, receives=4) == ["m0"]
        assert rig.work(ref("in/unlucky.png"), again={0}, receives=5) == []
        assert "the last of 5 tries" in rig.rows()["in/unlucky.png"]["error"]["Message"]

    def test_a_queue_that_does_not_say(self, rig, monkeypatch):
        def refuse() -> int:
            raise StorageError("queue pictures: ThrottlingException")

        monkeypatch.setattr(rig.pictures, "max_receives", refuse)
        assert rig.work(ref("in/unlucky.png"), again={0}, receives=3) == ["m0"]

    @pytest.mark.parametrize("error", [MemoryError(), StorageError("s3://x: SlowDown"), OSError("?")], ids=repr)
    def test_what_is_not_the_pictures_fault_is_never_its_result(self, digits, seven, error):
        rig = Rig(digits, {"in/seven.png": seven})
        rig.objects.failures["in/seven.png"] = error
        for receives in (1, 2, 3, 4):
            assert rig.work(ref("in/seven.png"), again={0}, receives=receives) == ["m0"]
        assert rig.rows() == {}

    def test_nor_is_a_lack_of_memory_while_it_is_classified(self, digits):
        rig = Rig(Failing(digits, {UNLUCKY: MemoryError()}), {"in/unlucky.png": UNLUCKY})
        assert rig.work(ref("in/unlucky.png"), again={0}, receives=3) == ["m0"]

    def test_nor_is_a_model_that_does_not_load(self, tmp_path, seven):
        rig = Rig(ModelStore(Settings(model_dirs=(tmp_path,))), {"in/seven.png": seven})
        assert rig.work(ref("in/seven.png"), again={0}, receives=3) == ["m0"]


class TestTopK:
    @pytest.mark.parametrize(
        "top_k", ["0", "-1", "1.5", '"5"', "true", "[5]", "1000000000", "NaN", "-Infinity", "1e999"]
    )
    def test_one_that_is_none_is_the_pictures_error(self, rig, top_k):
        rig.table.advance(rig.table.get("b1"), "in/seven.png", 1, last=True)
        message = f'{{"bucket": "{BUCKET}", "key": "in/seven.png", "batch": "b1", "top_k": {top_k}}}'
        assert rig.work(message) == []
        assert rig.rows()["in/seven.png"]["error"]["Code"] == "BadRequestError"
        assert rig.table.get("b1").answered

    def test_null_is_the_default(self, rig):
        assert rig.work(f'{{"bucket": "{BUCKET}", "key": "in/seven.png", "batch": "b1", "top_k": null}}') == []
        assert len(rig.rows()["in/seven.png"]["predictions"]) == 5


class TestLog:
    def test_the_first_line_names_what_the_model_runs_on(self, seven, log_lines):
        store = ModelStore(Settings(model_dirs=(EMBEDDED_MODELS,), num_threads=1))
        rig = Rig(store, {"in/a.png": seven, "in/b.png": seven})
        for key in rig.objects.kept:
            rig.work(ref(key))
        first, second = [line for line in log_lines() if line["event"] == "pictures"]
        assert first["model"] == "digits" and {"features", "outside_delegate", "cold_start_ms"} <= set(first)
        assert set(second) == {"event", "batch", "results", "new"}


class TestSecondTries:
    KEYS = ("in/text.png", "in/seven.png", "in/cut.png")

    def test_what_comes_again_is_answered_and_deleted_before_the_others(self, rig):
        assert rig.work(*map(ref, self.KEYS), again={1}) == []
        assert rig.objects.reads[0] == "in/seven.png"
        assert rig.pictures.deleted == ["r1"]
        assert len(rig.rows()) == 3

    def test_one_that_ends_its_process_takes_no_other_one_along(self, rig):
        class Killed(BaseException):
            pass

        rig.objects.failures["in/seven.png"] = Killed()  # in the middle
        for receives in (2, 3):
            with pytest.raises(Killed):
                rig.work(*map(ref, self.KEYS), again={0, 1, 2}, receives=receives)
        assert rig.pictures.deleted == ["r0", "r2"]
        assert sorted(rig.rows()) == ["in/cut.png", "in/text.png"]

    def test_what_fails_again_is_not_deleted(self, rig):
        rig.objects.failures["in/seven.png"] = StorageError("s3://x: SlowDown")
        assert rig.work(ref("in/seven.png"), "no JSON", again={0, 1}) == ["m0", "m1"]
        assert rig.pictures.deleted == []

    @pytest.mark.parametrize("receives", [1, 2, 3])
    def test_a_message_is_answered_once_in_an_invocation_however_often_it_came(self, rig, receives):
        rig.work(*map(ref, self.KEYS), again={0, 1, 2}, receives=receives)
        assert sorted(rig.objects.reads) == sorted(self.KEYS)

    def test_a_retry_for_which_no_time_is_left_comes_again(self, rig):
        assert rig.work(*map(ref, self.KEYS), again={0}, remaining_ms=lambda: MARGIN_MS - 1.0) == ["m0", "m1", "m2"]
        assert (rig.rows(), rig.pictures.deleted) == ({}, [])

    def test_a_refused_deletion_does_no_harm(self, rig, monkeypatch):
        def refuse(_):
            raise StorageError("queue pictures")

        monkeypatch.setattr(rig.pictures, "delete", refuse)
        assert rig.work(ref("in/seven.png"), again={0}) == []


class TestDuplicates:
    def test_in_one_batch_of_messages_and_in_two(self, rig):
        twice = (ref("in/seven.png"), ref("in/seven.png"))
        assert rig.work(*twice) == rig.work(*twice) == []
        assert (rig.table.get("b1").done, len(rig.rows())) == (1, 1)


class TestModel:
    def test_one_that_does_not_load_for_a_while(self, tmp_path, seven):
        """Nothing is lost: the messages come again, and are answered when it loads."""
        rig = Rig(ModelStore(Settings(model_dirs=(tmp_path,))), {f"in/{n}.png": seven for n in range(3)})
        refs = [ref(f"in/{n}.png") for n in range(3)]
        assert rig.work(*refs) == ["m0", "m1", "m2"]
        assert rig.rows() == {}
        (tmp_path / "digits").symlink_to(EMBEDDED_MODELS / "digits")
        assert rig.work(*refs) == []
        assert [row["predictions"][0]["label"] for row in rig.rows().values()] == ["7"] * 3

    def test_it_is_loaded_once(self, rig, digits):
        rig.work(ref("in/seven.png"))
        loaded = digits.get()
        rig.work(ref("in/text.png"))
        assert digits.get() is loaded


class TestIncoming:
    def notification(self, key: str, etag: str = "e1", day: str = "2026-01-31") -> str:
        found = {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 117, "eTag": etag}}
        record = {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "eventTime": f"{day}T10:00:00Z",
            "s3": found,
        }
        return json.dumps({"Records": [record]})

    def test_what_is_dropped_belongs_to_its_day(self, rig, seven):
        rig.objects.kept |= {"incoming/a b.png": seven, "incoming/c.png": b""}
        bodies = [self.notification("incoming/a+b.png"), self.notification("incoming/c.png", day="2026-02-01")]
        assert rig.work(*bodies, *bodies) == []
        first, second = (rig.table.get(f"incoming-{day}") for day in ("2026-01-31", "2026-02-01"))
        assert (first.state, first.done, first.failed) == ("open", 1, 0)
        assert (second.state, second.done, second.failed) == ("open", 1, 1)
        assert rig.listings.bodies == []

    def test_new_content_under_an_old_key_is_a_new_result(self, rig, seven):
        rig.objects.kept["incoming/a.png"] = seven
        for etag in ("e1", "e2", "e2"):
            rig.work(self.notification("incoming/a.png", etag))
        assert rig.table.get("incoming-2026-01-31").done == 2

    def test_the_test_event_of_s3_is_taken_and_forgotten(self, rig):
        assert rig.work(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})) == []
