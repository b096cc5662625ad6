"""GETs without an SDK, over a server that fails."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.aws.direct import TRIES, Bucket, Changed, Refused, account_of
from chalicelib.config import AwsAccess
from chalicelib.errors import StorageError
from tests.support.bundle_server import (
    ACCOUNT,
    BUCKET,
    CUT,
    GARBAGE,
    NO_RANGE,
    OTHER_RANGE,
    RESET,
    SLOW,
    BundleServer,
    Refusal,
    bundle_server,
)

DATA = bytes(range(256)) * 40
PASSING = [CUT, RESET, SLOW, GARBAGE, *(Refusal(status, "SlowDown") for status in (408, 429, 500, 502, 503, 504))]


@pytest.fixture
def server() -> Iterator[BundleServer]:
    with bundle_server() as running:
        running.put("a/b+c=d@e.bin", DATA)
        yield running


@pytest.fixture
def bucket(server: BundleServer) -> Iterator[Bucket]:
    made = Bucket(server.access(), BUCKET, ACCOUNT, timeout_s=0.3)
    yield made
    made.close()


def read_range(bucket: Bucket, first: int, size: int, etag: str | None = None) -> bytes:
    found = bytearray(len(DATA) + 10)
    written: dict[int, int] = {}

    def write(data: memoryview, offset: int) -> None:
        found[offset : offset + len(data)] = data
        written[offset] = len(data)

    assert bucket.read_range("a/b+c=d@e.bin", first, size, etag, write).size_bytes == len(DATA)
    end = max(offset + count for offset, count in written.items())
    return bytes(found[first:end])


READS: list[Callable[[Bucket], Any]] = [
    lambda bucket: bucket.read("a/b+c=d@e.bin", 20_000).data,
    lambda bucket: read_range(bucket, 0, 20_000),
]


class TestWhatIsRead:
    def test_an_object_and_what_names_it(self, bucket, server):
        found = bucket.read("a/b+c=d@e.bin", len(DATA))
        stored = server.objects["a/b+c=d@e.bin"]
        assert found == (DATA, stored.etag, stored.modified)

    def test_one_byte_more_than_allowed_shows_that_it_is_too_large(self, bucket):
        assert len(bucket.read("a/b+c=d@e.bin", 100).data) == 101
        assert bucket.read("a/b+c=d@e.bin", 20_000).data == DATA, "the rest is not taken for another answer"

    @pytest.mark.parametrize(("first", "size"), [(0, 10), (100, 1000), (10_000, 10_000), (10_239, 1)])
    def test_a_range(self, bucket, first, size):
        assert read_range(bucket, first, size) == DATA[first : first + size]

    def test_the_connection_stays_open(self, bucket, server):
        ports = set()
        server.fault = lambda asked: ports.add(bucket._connection._connection.sock.getsockname())  # type: ignore[func-returns-value]
        for _ in range(3):
            bucket.read("a/b+c=d@e.bin", 20_000)
        assert len(ports) == 1


class TestFailures:
    @pytest.mark.parametrize("read", READS)
    @pytest.mark.parametrize("fault", PASSING)
    def test_one_that_passes_is_retried(self, bucket, server, read, fault):
        faults = iter([fault, fault])
        server.fault = lambda _: next(faults, None)
        assert read(bucket) == DATA
        assert len(server.asked) == 3

    @pytest.mark.parametrize("fault", [NO_RANGE, OTHER_RANGE])
    def test_an_answer_that_is_not_the_range_is_not_taken(self, bucket, server, fault):
        faults = iter([fault])
        server.fault = lambda _: next(faults, None)
        if fault == NO_RANGE:
            with pytest.raises(Refused):
                read_range(bucket, 0, 100)
        else:
            assert read_range(bucket, 0, 100) == DATA[:100]

    @pytest.mark.parametrize("read", READS)
    def test_one_that_stays_is_an_error_of_storage(self, bucket, server, read):
        server.fault = lambda _: Refusal(503, "SlowDown")
        with pytest.raises(StorageError, match=r"s3 does not answer \(HTTPException: 503 SlowDown\)"):
            read(bucket)
        assert len(server.asked) == TRIES

    @pytest.mark.parametrize("read", READS)
    @pytest.mark.parametrize("status", [301, 400, 403, 404])
    def test_a_refusal_is_not_retried(self, bucket, server, read, status):
        server.fault = lambda _: Refusal(status, "SomeCode", "eu-west-3")
        with pytest.raises(Refused) as caught:
            read(bucket)
        assert (caught.value.status, caught.value.code, caught.value.region) == (status, "SomeCode", "eu-west-3")
        assert len(server.asked) == 1

    def test_another_etag_is_a_change(self, bucket, server):
        etag = server.objects["a/b+c=d@e.bin"].etag
        assert read_range(bucket, 0, 10, etag) == DATA[:10]
        server.put("a/b+c=d@e.bin", DATA + b"!")
        with pytest.raises(Changed):
            read_range(bucket, 0, 10, etag)

    def test_a_network_that_is_not_there(self):
        away = Bucket(AwsAccess("a", "b", None, "us-east-1", "http://127.0.0.1:9"), BUCKET, ACCOUNT)
        with pytest.raises(StorageError, match="ConnectionRefusedError"):
            away.read("x", 1)

    def test_a_disk_that_fails_is_not_the_network(self, bucket, server):
        class Full(Exception):
            pass

        def write(data: memoryview, offset: int) -> None:
            raise Full

        with pytest.raises(Full):
            bucket.read_range("a/b+c=d@e.bin", 0, 10, None, write)
        assert len(server.asked) == 1


class TestAddresses:
    @pytest.mark.parametrize(
        ("bucket", "region", "host", "path"),
        [
            ("my-models", "eu-west-1", "my-models.s3.eu-west-1.amazonaws.com", "/"),
            ("my.models", "eu-west-1", "s3.eu-west-1.amazonaws.com", "/my.models/"),
            ("my-models", "cn-north-1", "my-models.s3.cn-north-1.amazonaws.com.cn", "/"),
        ],
    )
    def test_the_regions_own(self, bucket, region, host, path):
        made = Bucket(AwsAccess("a", "b", None, region), bucket, ACCOUNT)
        assert (made._connection._host, made._prefix) == (host, path)


class TestAccount:
    def test_of_the_keys(self, server):
        assert account_of(server.access()) == ACCOUNT

    def test_a_refusal_and_an_answer_without_one(self, server):
        server.sts = Refusal(403, "InvalidClientTokenId")
        with pytest.raises(StorageError, match=r"STS does not say whose keys these are \(403 InvalidClientTokenId"):
            account_of(server.access())
        server.sts = Refusal(200, "")
        with pytest.raises(StorageError, match="the answer names no account"):
            account_of(server.access())
