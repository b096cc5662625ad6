"""Listing page by page, within limits of time, under repetition; and the files in the end."""

import json

import pytest

from chalicelib.aws import events
from chalicelib.batch.listing import Lister
from chalicelib.batch.messages import finish_message, list_message, read_message
from chalicelib.batch.record import Batch, Result
from chalicelib.batch.results import Summary
from chalicelib.batch.service import Service
from chalicelib.errors import InvalidRequest, ObjectForbidden, StorageError, UnknownBatch
from tests.served.conftest import BUCKET
from tests.support.buckets import STAGE
from tests.support.fakes import FakeObjects, FakeQueue, FakeTable, event_of

SEVEN = {"model": {"name": "digits", "version": "1"}, "predictions": [{"index": 7, "label": "7", "score": 1.0}]}
BROKEN = {"error": {"Code": "UnprocessableEntityError", "Message": "broken"}}


class Rig:
    def __init__(self, keys=(), page=10, margin_ms=5.0, table=None) -> None:
        self.objects, self.table = FakeObjects(dict.fromkeys(keys, b"12345")), table or FakeTable()
        self.pictures, self.listings = FakeQueue(), FakeQueue()
        self.lister = Lister(self.objects, self.table, self.pictures, self.listings, page, margin_ms)
        self.service = Service(self.table, self.listings, STAGE)
        self.id = self.service.start(f"s3://{BUCKET}/in/", "digits", 3)["id"]

    def run(self, remaining_ms=lambda: 60_000.0) -> int:
        """Hand every waiting message to the lister until none waits; returns how many there were."""
        handed = 0
        while self.listings.bodies:
            self.lister.work(event_of(self.listings.bodies.pop(0)), remaining_ms)
            handed += 1
        return handed

    def queued(self) -> list[str]:
        return [ref.key for body in self.pictures.bodies for ref in events.read(body)]

    def answer_all(self) -> None:
        for key in set(self.queued()):
            self.table.record(self.id, [Result(key, BROKEN if "7" in key else SEVEN, milliseconds=2.0)])


@pytest.fixture(autouse=True)
def quiet(capsys):
    yield
    capsys.readouterr()


class TestPaging:
    def test_25000_keys_within_a_small_limit_of_time(self):
        """Each invocation has time for three pages; the next one resumes there."""
        keys = [f"in/{n:05} ü+%.png" for n in range(25_000)]
        rig = Rig(keys, page=1000)
        clock = iter(range(10**6))

        def remaining_ms() -> float:
            return 100.0 if next(clock) % 3 < 2 else 1.0

        invocations = rig.run(remaining_ms)
        assert (invocations, rig.objects.pages) == (9, 26)
        assert rig.queued() == keys
        found = rig.table.get(rig.id)
        assert (found.total, found.state, found.page) == (25_000, "running", 26)

    def test_even_without_any_time_a_page_is_done(self):
        rig = Rig([f"in/{n:02}" for n in range(35)])
        assert rig.run(lambda: 0.0) == 5
        assert len(rig.queued()) == rig.table.get(rig.id).total == 35

    def test_a_message_names_key_size_model_and_batch(self):
        rig = Rig(["in/a b+c%.png"])
        rig.run()
        (ref,) = events.read(rig.pictures.bodies[0])
        assert ref == events.PictureRef(BUCKET, "in/a b+c%.png", 5, batch=rig.id, model="digits", top_k=3)

    @pytest.mark.parametrize("keys", [10, 20])
    def test_a_last_page_that_is_full(self, keys):
        rig = Rig([f"in/{n:02}" for n in range(keys)])
        rig.run()
        assert (rig.table.get(rig.id).total, rig.table.get(rig.id).state) == (keys, "running")

    def test_folders_are_no_pictures(self):
        rig = Rig(["in/a.png"])
        rig.objects.kept |= {"in/": b"", "in/sub/": b"", "in/sub/b.png": b"1"}
        rig.run()
        assert rig.queued() == ["in/a.png", "in/sub/b.png"]
        assert rig.table.get(rig.id).total == 2

    def test_the_same_message_twice(self):
        rig = Rig([f"in/{n:02}" for n in range(35)])
        rig.listings.bodies *= 2
        rig.run(lambda: 0.0)
        assert (len(rig.queued()), rig.table.get(rig.id).total) == (35, 35)

    def test_two_listers_at_once_count_each_page_once(self):
        rig = Rig([f"in/{n:02}" for n in range(35)])
        other = Lister(rig.objects, rig.table, FakeQueue(), FakeQueue(), 10)
        turns = iter([True] + [False] * 100)

        def overtaken() -> None:
            if next(turns):
                other.list(rig.id, lambda: 60_000.0)

        rig.pictures.on_send = overtaken
        rig.run()
        assert rig.table.get(rig.id).total == 35

    def test_a_queue_that_refuses_some_of_a_page(self):
        """The page is queued again, and counted once."""
        rig = Rig([f"in/{n:02}" for n in range(15)])
        message = rig.listings.bodies[0]
        rig.pictures.refused = {
            events.PictureRef(BUCKET, "in/03", 5, batch=rig.id, model="digits", top_k=3).to_message()
        }
        with pytest.raises(StorageError, match="refused 1 of 10 messages"):
            rig.run()
        assert (len(rig.queued()), rig.table.get(rig.id).total) == (9, 0)
        rig.pictures.refused.clear()
        rig.listings.bodies.append(message)
        rig.run()
        assert (len(set(rig.queued())), rig.table.get(rig.id).total) == (15, 15)

    def test_killed_between_queueing_and_counting(self, monkeypatch):
        """The page is queued again, and counted once."""
        rig = Rig([f"in/{n:02}" for n in range(15)])
        advance, message = rig.table.advance, rig.listings.bodies[0]

        def killed(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(rig.table, "advance", killed)
        with pytest.raises(KeyboardInterrupt):
            rig.run()
        monkeypatch.setattr(rig.table, "advance", advance)
        rig.listings.bodies.append(message)
        rig.run()
        assert (len(rig.queued()), len(set(rig.queued())), rig.table.get(rig.id).total) == (25, 15, 15)


class TestRefusals:
    def test_an_empty_prefix(self):
        rig = Rig(["elsewhere/a.png"])
        rig.run()
        status = rig.service.describe(rig.id)
        assert (status["state"], status["total"]) == ("failed", None)
        assert status["error"] == {"Code": "NotFoundError", "Message": f"no object is under s3://{BUCKET}/in/"}

    @pytest.mark.parametrize(
        ("problem", "code"),
        [
            (ObjectForbidden(f"s3://{BUCKET}: access denied"), "ForbiddenError"),
            (InvalidRequest(f"s3://{BUCKET} is in another AWS region"), "BadRequestError"),
        ],
    )
    def test_a_source_that_cannot_be_listed(self, problem, code):
        rig = Rig()
        rig.objects.failures[BUCKET] = problem
        rig.run()
        assert rig.service.describe(rig.id)["error"] == {"Code": code, "Message": str(problem)}

    def test_what_may_go_well_later_comes_again(self):
        rig = Rig()
        rig.objects.failures[BUCKET] = StorageError("SlowDown")
        with pytest.raises(StorageError):
            rig.run()
        assert rig.table.get(rig.id).state == "listing"

    @pytest.mark.parametrize(
        "body", ["", "{}", "[]", '{"do": "list"}', '{"do": "eat", "batch": "b"}', '{"do": "close", "x": 1}', "[" * 5000]
    )
    def test_a_message_of_unknown_form(self, body):
        with pytest.raises(
            InvalidRequest,
            match=r'^unknown message: expected {"do": "list" or "finish", "batch": ID}, or {"do": "close"}$',
        ):
            read_message(body)

    @pytest.mark.parametrize(("body", "do"), [(list_message("b1"), "list"), (finish_message("b1"), "finish")])
    def test_a_message_reads_as_it_was_written(self, body, do):
        assert read_message(body) == (do, "b1")

    def test_an_unknown_batch(self):
        with pytest.raises(UnknownBatch):
            Rig().lister.work(event_of(list_message("none")), lambda: 1.0)


class TestEnd:
    def test_the_files(self):
        rig = Rig([f"in/{n:02}.png" for n in range(12)])
        rig.run()
        rig.answer_all()
        rig.lister.work(event_of(finish_message(rig.id)), lambda: 1.0)
        status = rig.service.describe(rig.id)
        assert (status["state"], status["total"], status["done"], status["failed"]) == ("complete", 12, 12, 1)
        assert status["results"] == f"s3://{BUCKET}/results/{rig.id}/results.jsonl"
        rows = [json.loads(line) for line in rig.objects.kept[f"results/{rig.id}/results.jsonl"].splitlines()]
        assert [row["key"] for row in rows] == sorted(rig.queued())
        assert rows[7] == {"key": "in/07.png", **BROKEN}
        summary = json.loads(rig.objects.kept[f"results/{rig.id}/summary.json"])
        assert (summary["total"], summary["failed"]) == (12, 1)
        assert (summary["labels"], summary["errors"]) == ({"7": 11}, {"UnprocessableEntityError": 1})
        assert summary["latency_ms"] == {"p50": 2.0, "p95": 2.0, "p99": 2.0, "max": 2.0, "sum": 24.0}
        assert summary["cost"]["total_usd"] > 0

    def test_not_before_all_is_answered(self):
        rig = Rig(["in/a.png", "in/b.png"])
        rig.run()
        rig.table.record(rig.id, [Result("in/a.png", SEVEN)])
        rig.lister.work(event_of(finish_message(rig.id)), lambda: 1.0)
        status = rig.service.describe(rig.id)
        assert (status["state"], status["done"], status["total"], status["results"]) == ("running", 1, 2, None)

    def test_answered_before_the_listing_ends(self):
        """No worker sees the end then: the lister does."""
        rig = Rig([f"in/{n:02}.png" for n in range(12)])
        rig.pictures.on_send = lambda: rig.table.record(rig.id, [Result(k, SEVEN) for k in rig.objects.kept])
        rig.run()
        assert rig.service.describe(rig.id)["state"] == "complete"

    def test_killed_while_the_files_are_written(self, monkeypatch):
        rig = Rig(["in/a.png"])
        rig.run()
        rig.answer_all()
        complete = rig.table.complete
        monkeypatch.setattr(rig.table, "complete", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                rig.lister.finish(rig.id)
        before = dict(rig.objects.kept)
        monkeypatch.setattr(rig.table, "complete", complete)
        rig.lister.finish(rig.id)
        assert rig.objects.kept[f"results/{rig.id}/results.jsonl"] == before[f"results/{rig.id}/results.jsonl"]
        assert rig.service.describe(rig.id)["state"] == "complete"

    def test_an_output_that_may_not_be_written_to(self):
        rig = Rig(["in/a.png"])
        rig.run()
        rig.answer_all()
        rig.objects.failures[f"results/{rig.id}/results.jsonl"] = ObjectForbidden(
            f"s3://{BUCKET}/results/: access denied"
        )
        rig.lister.finish(rig.id)
        status = rig.service.describe(rig.id)
        assert (status["state"], status["error"]["Code"], status["results"]) == ("failed", "ForbiddenError", None)

    def test_quantiles_are_values_that_occurred(self):
        summary = Summary()
        list(summary.watch(Result(str(n), SEVEN, milliseconds=float(n)) for n in range(1, 101)))
        assert summary.latencies() == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0, "sum": 5050.0}
        assert Summary().latencies()["p50"] == 0.0


class TestService:
    @pytest.fixture
    def service(self):
        return Service(FakeTable(), FakeQueue(), STAGE)

    def test_a_batch_begins(self, service):
        status = service.start("s3://pictures/some prefix/ü+%20/")
        assert len(status["id"]) == 32
        assert status == service.describe(status["id"]) | {"rate_per_s": 0.0}
        assert (status["state"], status["source"]) == ("listing", "s3://pictures/some prefix/ü+%20/")
        assert (status["total"], status["estimated_s_left"], status["results"]) == (None, None, None)

    @pytest.mark.parametrize(
        "source",
        [
            "",
            "pictures/in",
            "s3:/b/in",
            "s3://",
            "s3://B/in",
            "s3://a/in",
            "https://s3.amazonaws.com/b/in",
            "s3://b b/x",
        ],
    )
    def test_a_source_of_another_form(self, service, source):
        with pytest.raises(InvalidRequest, match=r"expected s3://bucket/prefix"):
            service.start(source)

    @pytest.mark.parametrize(
        ("source", "output"),
        [
            ("s3://pictures/in/", "s3://pictures/in/"),
            ("s3://pictures/in/", "s3://pictures/in/out"),
            ("s3://pictures/in", "s3://pictures/in2/"),
            ("s3://pictures", None),
            ("s3://pictures/", "s3://pictures/out/"),
            ("s3://pictures/res", None),
            ("s3://pictures/results/", None),
            ("s3://other-pictures/in/", "s3://pictures/incoming/out"),
        ],
    )
    def test_results_among_the_pictures_are_refused(self, service, source, output):
        with pytest.raises(InvalidRequest, match="output"):
            service.start(source, output=output)

    def test_an_output_of_ones_own(self, service):
        status = service.start("s3://pictures/in/", output="s3://elsewhere/out")
        assert status["source"] == "s3://pictures/in/"

    @pytest.mark.parametrize("batch_id", ["", "none", "../x", "x" * 100, "ü"])
    def test_an_unknown_id(self, service, batch_id):
        with pytest.raises(UnknownBatch, match="no batch is called"):
            service.describe(batch_id)

    def test_rate_and_time_left(self):
        batch = Batch("b", BUCKET, "in/", BUCKET, "out/", created=1000.0, state="running", total=100, done=25, failed=1)
        status = batch.describe(now=1010.0)
        assert (status["rate_per_s"], status["estimated_s_left"], status["total"]) == (2.5, 30, 100)
        assert batch.describe(now=1000.0)["rate_per_s"] >= 0
