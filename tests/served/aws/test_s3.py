"""S3: the fake and the true class over moto alike; then what only the true one has."""

import io

import pytest

from chalicelib.aws.s3 import PART_BYTES, Listed, Objects
from chalicelib.errors import ObjectGone, PayloadTooLarge, StorageError
from tests.served.conftest import BUCKET
from tests.support.fakes import FakeObjects

KEYS = ["in/a b.png", "in/a%.png", "in/a+b.png", "in/ä.png", "in/日本/🐈.png", "in/" + "x" * 1021]


@pytest.fixture
def s3(aws):
    aws("s3").create_bucket(Bucket=BUCKET)
    return aws("s3")


@pytest.fixture(params=["fake", "moto"])
def objects(request):
    return FakeObjects() if request.param == "fake" else Objects(request.getfixturevalue("s3"))


def put(objects, *keys, data=b"12345"):
    for key in keys:
        objects.write(BUCKET, key, [data], "image/png")


def broken_off():
    """The chunks of a file of two parts at least, whose source then fails."""
    yield b"x" * (2 * PART_BYTES)
    yield b"x" * (2 * PART_BYTES)
    raise StorageError("table")


class TestObjects:
    @pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
    def test_a_key_is_used_as_it_is(self, objects, key):
        put(objects, key, data=b"picture")
        assert objects.read(BUCKET, key, 7) == b"picture"
        assert [listed.key for listed in objects.page(BUCKET, "in/", "", 5)] == [key]

    def test_bytes_come_with_the_etag_that_a_listing_has(self, objects):
        put(objects, "in/k", data=b"picture")
        [listed] = objects.page(BUCKET, "in/", "", 5)
        assert objects.fetch(BUCKET, "in/k", 7) == (b"picture", listed.etag)

    def test_an_object_with_too_many_bytes(self, objects):
        put(objects, "k", data=b"x" * 101)
        with pytest.raises(PayloadTooLarge, match="the object has 101 bytes: at most 100"):
            objects.read(BUCKET, "k", 100)
        assert objects.read(BUCKET, "k", 101) == b"x" * 101

    def test_pages_follow_one_another(self, objects):
        put(objects, *KEYS, "other/x.png")
        found, after = [], ""
        while page := objects.page(BUCKET, "in/", after, 2):
            found += page
            after = page[-1].key
        assert [listed.key for listed in found] == sorted(KEYS, key=str.encode)
        assert found[0] == Listed(KEYS[0], 5, "827ccb0eea8a706c4c34a16891f84e7b")

    def test_what_is_not_there(self, objects):
        with pytest.raises(ObjectGone, match=rf"^s3://{BUCKET}/none is not there \(NoSuchKey\)$"):
            objects.read(BUCKET, "none", 1)
        assert objects.page(BUCKET, "none", "", 1) == []

    def test_a_written_object_replaces_the_old_one(self, objects):
        put(objects, "k")
        objects.write(BUCKET, "k", iter([b"ab", b"", b"c"]), "text/x")
        assert objects.read(BUCKET, "k", 3) == b"abc"
        objects.write(BUCKET, "k", [], "text/x")
        assert objects.read(BUCKET, "k", 0) == b""

    def test_a_file_that_breaks_off_leaves_nothing(self, objects):
        with pytest.raises(StorageError, match="table"):
            objects.write(BUCKET, "out.jsonl", broken_off(), "text/x")
        assert objects.page(BUCKET, "", "", 1) == []


class TestFailures:
    """How tests make the fake fail."""

    def test_at_each_call(self):
        objects = FakeObjects({"k": b"1"})
        objects.failures = {"k": StorageError("SlowDown"), BUCKET: ObjectGone("bucket")}
        for _ in range(2):
            with pytest.raises(StorageError):
                objects.read(BUCKET, "k", 1)
            with pytest.raises(StorageError):
                objects.write(BUCKET, "k", [b"2"], "text/x")
            with pytest.raises(ObjectGone):
                objects.page(BUCKET, "", "", 1)
        assert objects.kept == {"k": b"1"}

    def test_once_for_each_that_is_listed(self):
        objects = FakeObjects({"k": b"1"})
        objects.failures["k"] = [StorageError("SlowDown"), RuntimeError("?")]
        for kind in (StorageError, RuntimeError):
            with pytest.raises(kind):
                objects.read(BUCKET, "k", 1)
        assert objects.read(BUCKET, "k", 1) == b"1"


class TestS3:
    @pytest.fixture
    def objects(self, s3):
        return Objects(s3)

    def test_an_object_is_refused_by_its_size_before_it_is_read(self, s3):
        class Unread(io.BytesIO):
            def read(self, *_):
                raise AssertionError("read")

        body = Unread()

        class Stub:
            def get_object(self, **_):
                return {"ContentLength": 101, "Body": body}

        with pytest.raises(PayloadTooLarge, match="101 bytes: at most 100"):
            Objects(Stub()).read(BUCKET, "k", 100)
        assert body.closed  # its connection is free again

    def test_a_short_page_is_no_end(self, s3):
        """S3 may return fewer keys than requested, or none, although there are more."""

        class Reluctant:
            def list_objects_v2(self, MaxKeys, StartAfter="", ContinuationToken="0", **_):  # noqa: N803
                at = int(ContinuationToken)
                keys = [] if at == 1 else [f"k{at}"]
                contents = [{"Key": key, "Size": 1} for key in keys][:MaxKeys]
                return {"Contents": contents, "IsTruncated": at < 4, "NextContinuationToken": str(at + 1)}

        assert [listed.key for listed in Objects(Reluctant()).page(BUCKET, "", "", 3)] == ["k0", "k2", "k3"]
        assert [listed.key for listed in Objects(Reluctant()).page(BUCKET, "", "", 9)] == ["k0", "k2", "k3", "k4"]

    def test_a_bucket_that_is_not_there(self, objects):
        with pytest.raises(ObjectGone, match="NoSuchBucket"):
            objects.page("no-such-bucket", "", "", 1)

    @pytest.mark.parametrize("size", [0, 10, PART_BYTES, 2 * PART_BYTES + 5])
    def test_a_file_is_written_whole(self, s3, objects, size):
        data = bytes(range(256)) * (size // 256 + 1)
        chunks = [data[start : start + 3_000_000] for start in range(0, size, 3_000_000)]
        objects.write(BUCKET, "out.jsonl", (chunk[: size - 3_000_000 * n] for n, chunk in enumerate(chunks)), "text/x")
        answer = s3.get_object(Bucket=BUCKET, Key="out.jsonl")
        assert (answer["Body"].read() == data[:size], answer["ContentType"]) == (True, "text/x")

    def test_an_upload_that_cannot_be_aborted_keeps_its_first_error(self, s3, objects, monkeypatch):
        """Were it the second one, a batch would end for good where a retry helps."""
        from botocore.exceptions import ClientError

        denied = ClientError({"Error": {"Code": "AccessDenied"}}, "AbortMultipartUpload")

        def refuse(**_):
            raise denied

        monkeypatch.setattr(s3, "abort_multipart_upload", refuse)
        with pytest.raises(StorageError, match="table"):
            objects.write(BUCKET, "out.jsonl", broken_off(), "text/x")

    def test_a_file_that_breaks_off_leaves_no_upload(self, s3, objects):
        with pytest.raises(StorageError, match="table"):
            objects.write(BUCKET, "out.jsonl", broken_off(), "text/x")
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)
