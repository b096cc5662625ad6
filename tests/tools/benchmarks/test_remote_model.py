"""The network that the benchmark of a model from S3 stands up, and its table."""

import shutil
import time
from pathlib import Path

import pytest

from benchmarks.remote_model.network import Network, Pace, bucket_at
from chalicelib.config import EMBEDDED_MODELS, AwsAccess
from chalicelib.delivery.parts import Plan
from chalicelib.delivery.s3_bundle import S3Bundle

FAST = Network(connect_ms=0, first_byte_ms=0, per_connection=1e6, in_all=1e6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(EMBEDDED_MODELS / "digits", tmp_path / "bucket" / "digits")
    return tmp_path


def fetch(folder: Path, network: Network) -> float:
    """Seconds."""
    with bucket_at(folder, network) as url:
        access = AwsAccess("id", "secret", None, "us-east-1", url)
        made = S3Bundle("s3://bucket/digits/", folder / "tmp", lambda: access, plan=Plan(100_000, 2))
        made.function_arn = "arn:aws:lambda:us-east-1:123456789012:function:x"
        began = time.perf_counter()
        fetched = made.fetch(None)
        took = time.perf_counter() - began
    assert fetched is not None
    expected = (folder / "bucket/digits/model.tflite").read_bytes()
    assert (fetched.path / "model.tflite").read_bytes() == expected
    return took


def test_a_bundle_comes_through_it_whole(folder: Path) -> None:
    fetch(folder, FAST)


@pytest.mark.parametrize(
    ("network", "at_least_s"),
    [
        (FAST._replace(in_all=1), 0.27),  # 274,320 bytes at 1 MB/s
        (FAST._replace(first_byte_ms=50), 0.2),  # card, labels, the first part, and the next two at once
        (FAST._replace(connect_ms=100), 0.2),  # the first connection, and the second
    ],
)
def test_it_is_as_slow_as_it_says(folder: Path, network: Network, at_least_s: float) -> None:
    assert fetch(folder, network) >= at_least_s


def test_connections_share_what_passes_in_all() -> None:
    pace, began = Pace(10), time.perf_counter()
    for _ in range(4):
        pace.wait(100_000)
    assert time.perf_counter() - began >= 0.04


def test_the_table_says_what_s3_adds() -> None:
    main = pytest.importorskip("benchmarks.remote_model.__main__", reason="the tools are not installed")
    parts = dict.fromkeys(main.PARTS, 10.0)
    medians = {("big", main.LAYER): parts | {"answered_ms": 500.0}, ("big", "S3"): parts | {"answered_ms": 742.0}}
    shown = main.table(medians, {"big": 95.2}, 3, "a processor")
    assert [list(column.cells) for column in shown.columns][-1] == ["", "242"]
