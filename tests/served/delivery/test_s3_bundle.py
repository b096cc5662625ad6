"""A bundle from S3 to a folder, over a server that fails, lies and changes."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chalicelib.delivery.parts import Plan
from chalicelib.delivery.s3_bundle import ASIDE, S3Bundle
from chalicelib.errors import ModelError, StorageError
from chalicelib.inference.registry import CARD_FILE, LABELS_FILE, MODEL_FILE, load_bundle
from tests.support.bundle_server import ACCOUNT, BUCKET, CUT, Asked, BundleServer, Fault, Refusal, bundle_server
from tests.support.bundles import write_bundle

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:slimception-dev"
PARTS = Plan(part_bytes=100, threads=3)
SMALL = 700
"""Bytes: fewer than the model has, more than the card and the labels."""


@pytest.fixture
def server() -> Iterator[BundleServer]:
    with bundle_server() as running:
        yield running


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_bundle(tmp_path / "local", "background_float", name="own")


@pytest.fixture
def bundle(server, folder, tmp_path) -> S3Bundle:
    made = S3Bundle(server.put_bundle(folder), tmp_path / "tmp" / "models", server.access, plan=PARTS)
    made.function_arn = ARN
    return made


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


class TestFetch:
    def test_the_bundle_is_whole_and_verified_as_one_of_a_layer(self, bundle, folder, server):
        fetched = bundle.fetch(None)
        assert fetched.path.name == "own" and files(fetched.path) == files(folder)
        assert load_bundle(fetched.path).card.name == "own"
        assert fetched.size_bytes == (folder / MODEL_FILE).stat().st_size
        assert server.count(MODEL_FILE) == -(-fetched.size_bytes // 100)

    @pytest.mark.parametrize("plan", [Plan(), Plan(1, 2), Plan(10_000, 1), Plan(999, 50)])
    def test_parts_of_any_size(self, server, folder, tmp_path, plan):
        (folder / MODEL_FILE).write_bytes((folder / MODEL_FILE).read_bytes()[:301])
        changed = json.loads((folder / CARD_FILE).read_text()) | {"size_bytes": 301}
        (folder / CARD_FILE).write_text(json.dumps(changed))
        made = S3Bundle(server.put_bundle(folder), tmp_path / "tmp", server.access, plan=plan)
        assert files(made.fetch(None).path) == files(folder)

    def test_all_parts_but_the_first_are_on_condition(self, bundle, server):
        bundle.fetch(None)
        etag = server.objects["models/own/model.tflite"].etag
        conditions = [asked.headers.get("if-match") for asked in server.asked if asked.key.endswith(MODEL_FILE)]
        assert conditions == [None] + [etag] * (len(conditions) - 1) and len(conditions) > 2

    def test_the_same_card_is_not_fetched_again(self, bundle, server):
        version = bundle.fetch(None).version
        server.asked.clear()
        assert bundle.fetch(version) is None
        assert [asked.key for asked in server.asked] == ["models/own/model.json"]

    def test_a_card_that_was_uploaded_again_is(self, bundle, folder, server):
        version = bundle.fetch(None).version
        server.put_bundle(folder)
        again = bundle.fetch(version)
        assert again.version[0] == version[0] and again.version != version

    def test_the_account_comes_from_sts_where_there_is_no_arn(self, bundle, server):
        bundle.function_arn = None
        bundle.fetch(None)
        assert {asked.headers["x-amz-expected-bucket-owner"] for asked in server.asked} == {ACCOUNT}

    def test_what_is_kept_replaces_what_was(self, bundle, folder, tmp_path):
        for _ in range(2):
            bundle.keep(bundle.fetch(None))
        assert files(tmp_path / "tmp/models/own") == files(folder)
        assert list((tmp_path / "tmp/models" / ASIDE).iterdir()) == []

    def test_what_another_process_left_over_is_deleted(self, bundle, tmp_path, folder):
        left = tmp_path / "tmp/models" / ASIDE / "own"
        left.mkdir(parents=True)
        (left / MODEL_FILE).write_bytes(b"x" * 100_000)
        assert files(bundle.fetch(None).path) == files(folder)

    def test_a_name_in_the_card_leads_nowhere(self, bundle, folder, server, tmp_path):
        card = json.loads((folder / CARD_FILE).read_text()) | {"name": "../../../evil"}
        server.put("models/own/model.json", json.dumps(card).encode())
        fetched = bundle.fetch(None)
        bundle.keep(fetched)
        assert load_bundle(tmp_path / "tmp/models/own").card.name == "own"
        assert {path.name for path in tmp_path.iterdir()} == {"local", "tmp"}


class TestWhatIsWrong:
    @pytest.mark.parametrize("name", [CARD_FILE, LABELS_FILE, MODEL_FILE])
    @pytest.mark.parametrize(
        ("refusal", "error", "message"),
        [
            (Refusal(404, "NoSuchKey"), ModelError, "is not there, or is empty (NoSuchKey)"),
            (Refusal(404, "NoSuchBucket"), ModelError, "is not there, or is empty (NoSuchBucket)"),
            (Refusal(403, "AccessDenied"), ModelError, "access denied, or there is no such object"),
            (Refusal(301, "PermanentRedirect", "eu-west-3"), ModelError, "is in another AWS region (eu-west-3)"),
            (Refusal(400, "AuthorizationHeaderMalformed", "eu-west-3"), ModelError, "another AWS region (eu-west-3)"),
            (Refusal(400, "ExpiredToken"), StorageError, "cannot be read (ExpiredToken): try again"),
            (Refusal(503, "SlowDown"), StorageError, "503 SlowDown"),
            (CUT, StorageError, "IncompleteRead"),
        ],
    )
    def test_each_has_its_sentence_and_no_account(self, bundle, server, name, refusal, error, message):
        server.fault = lambda asked: refusal if asked.key.endswith(name) else None
        with pytest.raises(error) as caught:
            bundle.fetch(None)
        assert message in str(caught.value)
        assert ACCOUNT not in str(caught.value) and "AKID" not in str(caught.value)
        server.fault = lambda _: None
        assert bundle.fetch(None) is not None, "the next call tries again"

    def test_a_foreign_bucket(self, bundle):
        bundle.function_arn = ARN.replace(ACCOUNT, "999999999999")
        with pytest.raises(ModelError, match="access denied"):
            bundle.fetch(None)

    @pytest.mark.parametrize(
        ("name", "data", "message"),
        [
            (CARD_FILE, b"", "cannot be read as JSON"),
            (CARD_FILE, b"{", "cannot be read as JSON"),
            (CARD_FILE, b"\xff\xfe", "cannot be read as JSON"),
            (CARD_FILE, b"[" * 100_000, "cannot be read as JSON"),
            (CARD_FILE, b"[]", "malformed"),
            (CARD_FILE, b'{"name": "x"}', "lacks"),
            (CARD_FILE, b" " * 300_000, "has more than 262,144 bytes"),
            (LABELS_FILE, b"x\n" * 6_000_000, "has more than 10,485,760 bytes"),
            (MODEL_FILE, b"", "is empty"),
            (MODEL_FILE, b"x", "has 1 bytes, its card says"),
            (MODEL_FILE, b"x" * 100_000, "has 100,000 bytes, its card says"),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_damaged_objects(self, bundle, server, name, data, message):
        server.put(f"models/own/{name}", data)
        with pytest.raises(ModelError, match=message):
            bundle.fetch(None)
        if name == MODEL_FILE:
            assert server.count(MODEL_FILE) == 1, "no more than the first part is read"

    @pytest.mark.parametrize("size_bytes", [600 * 2**20, 2**40])
    def test_too_large_for_the_memory(self, server, folder, tmp_path, size_bytes):
        card = json.loads((folder / CARD_FILE).read_text()) | {"size_bytes": size_bytes}
        (folder / CARD_FILE).write_text(json.dumps(card))
        made = S3Bundle(server.put_bundle(folder), tmp_path / "tmp", server.access, memory_mb=1024)
        with pytest.raises(
            ModelError, match=r"the function 1024 MB of memory: it takes 2 times its size, beside 128 MB"
        ):
            made.fetch(None)
        assert server.count(MODEL_FILE) == 0

    def test_one_that_replaces_another_is_in_memory_beside_it(self, server, folder, tmp_path):
        card = json.loads((folder / CARD_FILE).read_text()) | {"size_bytes": 300 * 2**20}
        (folder / CARD_FILE).write_text(json.dumps(card))
        made = S3Bundle(server.put_bundle(folder), tmp_path / "tmp", server.access, memory_mb=1024)
        with pytest.raises(ModelError, match="it takes 4 times its size"):
            made.fetch(("an older etag", "yesterday"))
        with pytest.raises(ModelError, match="has 840 bytes, its card says 314,572,800"):
            made.fetch(None)

    def test_too_large_for_the_disk(self, server, folder, tmp_path):
        card = json.loads((folder / CARD_FILE).read_text()) | {"size_bytes": 2**40}
        (folder / CARD_FILE).write_text(json.dumps(card))
        made = S3Bundle(server.put_bundle(folder), tmp_path / "tmp", server.access)
        with pytest.raises(ModelError, match=r"cannot be written to /tmp \(.* bytes are free.*EphemeralStorage"):
            made.fetch(None)
        assert server.count(MODEL_FILE) == 0

    def test_a_disk_that_fills_up_while_parts_come(self, bundle, server):
        with files_of_at_most(SMALL), pytest.raises(ModelError, match=r"cannot be written to /tmp \(File too large\)"):
            bundle.fetch(None)
        assert bundle.fetch(None) is not None

    def test_a_folder_that_cannot_be_made(self, server, folder, tmp_path):
        (tmp_path / "file").touch()
        made = S3Bundle(server.put_bundle(folder), tmp_path / "file", server.access)
        with pytest.raises(ModelError, match=r"cannot be written to /tmp \(Not a directory\)"):
            made.fetch(None)


class TestChanges:
    def test_a_model_that_changes_while_it_is_read_is_read_again_from_its_beginning(
        self, bundle, folder, server, tmp_path
    ):
        other = write_bundle(tmp_path / "other", "channels_int8", name="own")

        def upload_once(asked: Asked) -> Fault:
            if asked.key.endswith(MODEL_FILE) and "if-match" in asked.headers:
                server.fault = lambda _: None
                server.put_bundle(other)
            return None

        server.fault = upload_once
        fetched = bundle.fetch(None)
        assert files(fetched.path) == files(other) != files(folder)

    def test_one_that_never_stops_is_an_error(self, bundle, folder, server):
        data = (folder / MODEL_FILE).read_bytes()

        def upload(asked: Asked) -> Fault:
            if asked.key.endswith(MODEL_FILE):
                server.put(asked.key, data[:-1] + bytes([len(server.asked) % 256]))
            return None

        server.fault = upload
        with pytest.raises(ModelError, match=r"changes while it is fetched: copy model\.json last"):
            bundle.fetch(None)
        assert server.count(CARD_FILE) == 3

    def test_a_thread_that_fails_ends_the_others(self, bundle, server):
        server.fault = lambda asked: (
            Refusal(403, "AccessDenied") if asked.headers.get("range", "").startswith("bytes=200-") else None
        )
        with pytest.raises(ModelError, match="access denied"):
            bundle.fetch(None)

    def test_the_uri_is_shown_without_the_account(self, bundle):
        assert BUCKET.count(ACCOUNT) == 1
        assert bundle.shown_uri == "s3://slimception-dev-<account>-models/models/own/"


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """Python ignores SIGXFSZ, so that a write beyond the limit is an OSError, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
