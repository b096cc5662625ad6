"""`python -m chalicelib.batch export ID`: at any time, into a file or into S3."""

import json
import time
from dataclasses import replace

import pytest

from chalicelib.batch.cli import main as command_line
from chalicelib.batch.cli import remote
from chalicelib.batch.cli.export import export
from chalicelib.batch.record import Batch, Result, open_batch
from chalicelib.errors import InvalidRequest, ObjectForbidden, UnknownBatch
from tests.support.buckets import STAGE
from tests.support.fakes import FakeObjects, FakeTable

SEVEN = {"model": {"name": "digits"}, "predictions": [{"index": 7, "label": "7", "score": 0.9}]}
BROKEN = {"error": {"Code": "UnprocessableEntityError", "Message": "cut off"}}


class Services:
    def __init__(self) -> None:
        from chalicelib.batch.service import Service

        self.table, self.objects = FakeTable(), FakeObjects()
        self.service = Service(self.table, None, STAGE)


@pytest.fixture
def services(monkeypatch):
    services = Services()
    monkeypatch.setattr(remote, "services_of", lambda *_: services)
    for batch in (
        open_batch("2026-01-31", "pictures"),
        Batch("b1", "pictures", "in/", "pictures", "out/", time.time()),
    ):
        services.table.create(batch)
        services.table.record(batch.id, [Result("in/b.png", BROKEN), Result("in/=a.png", SEVEN, "e1")])
    return services


@pytest.mark.parametrize("state", ["listing", "running", "complete", "failed"])
def test_a_batch_in_any_state(services, tmp_path, capsys, state):
    services.table.batches["b1"] = replace(services.table.batches["b1"], state=state)
    out = tmp_path / "out.jsonl"
    assert command_line.main(["export", "b1", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: 2 results, 1 of them errors; the batch is {state}\n"
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows == [{"key": "in/=a.png", "etag": "e1", **SEVEN}, {"key": "in/b.png", **BROKEN}]


def test_a_day_by_default_into_a_file_of_its_name(services, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command_line.main(["export", "incoming-2026-01-31"]) == 0
    assert len((tmp_path / "incoming-2026-01-31.jsonl").read_text().splitlines()) == 2


def test_csv(services, tmp_path):
    export(services, "b1", str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "key,label,index,score,error,message",
        "in/=a.png,7,7,0.9,,",
        "in/b.png,,,,UnprocessableEntityError,cut off",
    ]


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_into_s3_as_into_a_file(services, tmp_path, name):
    export(services, "b1", f"s3://pictures/exported/{name}")
    export(services, "b1", str(tmp_path / name))
    assert services.objects.kept == {f"exported/{name}": (tmp_path / name).read_bytes()}


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("out.txt", r"--out is 'out.txt': expected a name that ends with .jsonl or .csv"),
        ("s3://pictures/", r"expected a name that ends with"),
        ("s3://B/x.csv", r"expected s3://bucket/prefix"),
        ("s3://pictures/incoming/x.csv", r"where whatever is written is classified"),
    ],
)
def test_a_name_that_cannot_be_used(services, out, message):
    with pytest.raises(InvalidRequest, match=message):
        export(services, "b1", out)
    assert services.objects.kept == {}


def test_an_unknown_batch(services, tmp_path):
    with pytest.raises(UnknownBatch):
        export(services, "none", str(tmp_path / "x.jsonl"))
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_of_others(services, aws):
    from chalicelib.aws.s3 import Objects

    services.objects = Objects(aws("s3"), STAGE)
    with pytest.raises(ObjectForbidden):
        export(services, "b1", "s3://evil/x.csv")
