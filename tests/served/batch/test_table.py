"""Results and counts: the fake and the true table alike; then what only the true one has."""

import threading
import time
from dataclasses import replace

import pytest

from chalicelib.batch.record import Batch, Result, open_batch
from chalicelib.batch.table import COUNTS, TRIES, Table
from chalicelib.errors import StorageError
from tests.served.conftest import BUCKET

SEVEN = {"predictions": [{"index": 7, "label": "7", "score": 0.999919}]}
BROKEN = {"error": {"Code": "UnprocessableEntityError", "Message": "broken"}}
KEYS = ["a/plain.png", "a/with blank.png", "a/plus+and%2Bpercent%.png", "a/ünï/日本.png", "a/🐈.png", "a/" + "x" * 1022]


def batch_of(**changes) -> Batch:
    return replace(Batch("b1", BUCKET, "a/", BUCKET, "results/b1/", time.time()), **changes)


@pytest.fixture
def batch(table) -> Batch:
    created = batch_of(model="digits", top_k=3)
    assert table.create(created)
    return created


class TestTable:
    def test_a_batch_is_read_as_it_was_written(self, table, batch):
        found = table.get("b1")
        assert replace(found, created=0) == replace(batch, created=0)
        assert found.created == pytest.approx(batch.created, abs=0.01)

    def test_an_id_is_given_once(self, table, batch):
        assert not table.create(batch_of(prefix="other/"))
        assert table.get("b1").prefix == "a/"
        assert table.get("b2") is None

    @pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:12])
    def test_a_result_is_kept_once_and_counted_once(self, table, batch, key):
        assert table.record("b1", [Result(key, SEVEN, milliseconds=1.5)]) == 1
        assert table.record("b1", [Result(key, BROKEN)] * 2) == 0
        found = table.get("b1")
        assert (found.done, found.failed, found.updated is not None) == (1, 0, True)
        (result,) = table.results("b1")
        assert (result.key, result.answer, result.milliseconds) == (key, SEVEN, 1.5)

    def test_of_some_only_the_new_ones_count(self, table, batch):
        table.record("b1", [Result("k2", SEVEN), Result("k4", BROKEN)])
        assert table.record("b1", [Result(f"k{n}", BROKEN if n == 5 else SEVEN) for n in range(6)]) == 4
        found = table.get("b1")
        assert (found.done, found.failed) == (6, 2)
        assert [(r.key, r.failed) for r in table.results("b1")] == [(f"k{n}", n in (4, 5)) for n in range(6)]

    def test_more_than_a_transaction_takes(self, table, batch):
        assert table.record("b1", [Result(f"k{n:03}", SEVEN) for n in range(120)]) == 120
        assert table.get("b1").done == len(list(table.results("b1"))) == 120

    def test_two_contents_of_a_key_are_two_results(self, table):
        table.create(open_batch("2026-01-31", BUCKET))
        for etag in ("one", "two", "one"):
            table.record("incoming-2026-01-31", [Result("incoming/a.png", SEVEN, etag)])
        rows = [result.row() for result in table.results("incoming-2026-01-31")]
        assert [(row["key"], row["etag"]) for row in rows] == [("incoming/a.png", "one"), ("incoming/a.png", "two")]
        assert table.get("incoming-2026-01-31").done == 2

    def test_a_key_with_its_etag_may_be_longer_than_a_sort_key(self, table):
        table.record("open", [Result("é" * 512, SEVEN, "etag")])
        (result,) = table.results("open")
        assert (result.key, result.etag) == ("é" * 512, "etag")

    def test_a_page_counts_once(self, table, batch):
        assert table.advance(batch, "k9", 10, last=False)
        assert not table.advance(batch, "k9", 10, last=False)
        second = table.get("b1")
        assert (second.page, second.last_key, second.total, second.state) == (1, "k9", 10, "listing")
        assert table.advance(second, "k12", 3, last=True)
        assert not table.advance(second, "k12", 3, last=True)
        assert (table.get("b1").total, table.get("b1").state) == (13, "running")

    def test_it_is_complete_once(self, table, batch):
        assert not table.complete(batch)
        table.advance(batch, "k", 1, last=True)
        assert not table.get("b1").answered
        table.record("b1", [Result("k", SEVEN)])
        assert table.get("b1").answered
        assert [table.complete(batch), table.complete(batch)] == [True, False]
        found = table.get("b1")
        assert (found.state, found.finished is not None, found.answered) == ("complete", True, False)

    def test_it_fails_only_in_the_state_in_which_it_was_seen(self, table, batch):
        assert table.fail(batch, {"Code": "NotFoundError", "Message": "none"})
        assert table.get("b1").error == {"Code": "NotFoundError", "Message": "none"}
        assert not table.advance(batch, "k", 1, last=True)
        assert not table.fail(batch, {})

    def test_many_writers_at_once(self, table, batch):
        def write(seed: int) -> None:
            for start in range(0, 40, 5):
                table.record("b1", [Result(f"k{(n + seed) % 40:02}", SEVEN) for n in range(start, start + 8)])

        threads = [threading.Thread(target=write, args=(seed,)) for seed in (0, 3, 7, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert table.get("b1").done == len(list(table.results("b1"))) == 40


class TestDynamoDb:
    def test_counts_of_several_workers_add_up(self, aws, moto_table):
        moto_table.create(batch_of())
        workers = [Table(aws("dynamodb"), "batches") for _ in range(6)]
        for number, worker in enumerate(workers):
            worker.record("b1", [Result(f"k{number}", SEVEN), Result("same", SEVEN)])
        assert moto_table.get("b1").done == 7

    def test_counts_are_read_consistently(self):
        """Two workers that store the last results must not both miss the other's: nobody would ask for the files."""
        asked: list[dict] = []

        class Recording:
            def get_paginator(self, call):
                assert call == "query"
                return self

            def paginate(self, **arguments):
                asked.append(arguments)
                return []

        table = Table(Recording(), "batches")
        assert (table.get("b1"), list(table.results("b1"))) == (None, [])
        assert [arguments["ConsistentRead"] for arguments in asked] == [True, True]

    def test_workers_spread_their_counts(self):
        """Each item takes 1,000 writes a second, and a transaction fails if another one writes the same item."""
        written: list[str] = []

        class Recording:
            def transact_write_items(self, TransactItems):  # noqa: N803 - boto3's name
                written.append(TransactItems[-1]["Update"]["Key"]["sort"]["S"])

        for _ in range(100):
            Table(Recording(), "batches").record("b1", [Result("k", SEVEN)])
        assert set(written) <= {f"count {number}" for number in range(COUNTS)}
        assert len(set(written)) >= 10, "100 tables took only these"

    def test_items_end_by_themselves(self, aws, moto_table):
        moto_table.create(batch_of())
        moto_table.record("b1", [Result("k", SEVEN)])
        items = aws("dynamodb").scan(TableName="batches")["Items"]
        assert len(items) == 3
        assert all(float(item["expires"]["N"]) > time.time() + 29 * 86400 for item in items)

    def test_a_busy_item_is_waited_for_and_then_given_up(self):
        table, waits = conflicting(TRIES - 1)
        assert table.record("b1", [Result("k", SEVEN)]) == 1
        assert len(waits) == TRIES - 1
        with pytest.raises(StorageError, match="other functions wrote the same items"):
            conflicting(TRIES)[0].record("b1", [Result("k", SEVEN)])

    def test_another_refusal_is_for_later(self):
        with pytest.raises(StorageError, match="TransactionCanceledException"):
            conflicting(1, "ValidationError")[0].record("b1", [Result("k", SEVEN)])


def conflicting(times: int, reason: str = "TransactionConflict"):
    """A table that refuses so many transactions, and the list of its waits."""
    from botocore.exceptions import ClientError

    class Canceled(ClientError):
        pass

    class Client:
        left = times

        class exceptions:  # noqa: N801 - botocore's name
            TransactionCanceledException = Canceled

        def transact_write_items(self, TransactItems):  # noqa: N803 - boto3's name
            if self.left:
                self.left -= 1
                response = {
                    "Error": {"Code": "TransactionCanceledException"},
                    "CancellationReasons": [{"Code": "None"}, {"Code": reason}],
                }
                raise Canceled(response, "TransactWriteItems")

    waits: list[float] = []
    return Table(Client(), "batches", waits.append), waits
