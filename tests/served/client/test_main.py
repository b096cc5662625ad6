"""The command against a scripted server, and against `chalice local` as `make run` starts it."""

import csv
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.client import transport
from chalicelib.client.main import main
from tests.support.http_server import Asked, Reply, scripted
from tests.support.local_server import Server, serving
from tests.support.paths import SEVEN

BILINEAR = {"name": "digits", "default": True, "input": {"width": 24, "height": 24, "crop": 0.5}}
NEAREST = {"name": "odd", "default": False, "input": {"width": 24, "height": 24, "crop": 1, "resize": "nearest"}}
MODELS = {"models": [BILINEAR, NEAREST, {"name": "damaged", "default": False, "error": "x"}], "request_id": "r"}
ANSWER = {
    "model": {"name": "digits"},
    "predictions": [{"index": 7, "label": "7", "score": 0.9999}, {"index": 1, "label": "1", "score": 0.0001}],
    "request_id": "r-1",
}


def api(predict=lambda asked: Reply(200, ANSWER), paths=(), **others):
    """Answers as the API; `predict` for its picture, `others` by the first part of the path."""

    def answer(asked: Asked) -> Reply:
        route = urlsplit(asked.path).path.strip("/").split("/")[0]
        if route in others:
            return others[route](asked)
        if route == "models":
            return Reply(200, MODELS)
        if route == "openapi.json":
            return Reply(200, {"paths": {path: {} for path in paths}})
        return predict(asked)

    return answer


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(transport, "FIRST_WAIT_S", 0.001)


@pytest.fixture
def large(tmp_path) -> Path:
    """A file that no Pillow opens, larger than a request may be."""
    (tmp_path / "large.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(4_500_000))
    return tmp_path / "large.jpg"


class TestRequests:
    def test_a_picture_goes_as_its_bytes_with_the_headers_asked_for(self, tmp_path, capsys):
        (tmp_path / "key").write_text("secret\n")
        with scripted(api()) as server:
            options = ["--api-key", f"@{tmp_path / 'key'}", "--customer", "42", "--model", "digits", "--top-k", "2"]
            assert main([server.url, str(SEVEN), *options]) == 0
        asked = server.asked[-1]
        assert (asked.method, urlsplit(asked.path).path, asked.body) == ("POST", "/predict/image", SEVEN.read_bytes())
        assert parse_qs(urlsplit(asked.path).query) == {"model": ["digits"], "top_k": ["2"]}
        for one in server.asked:
            assert (one.headers["X-Api-Key"], one.headers["X-Customer-Id"]) == ("secret", "42")
        assert asked.headers["Content-Type"] == "image/png"

    @pytest.mark.parametrize("suffix", ["", "/", "/api", "/api/"])
    def test_a_stage_stays_in_the_address(self, suffix, capsys):
        with scripted(lambda asked: Reply(200, MODELS if asked.path.endswith("models") else ANSWER)) as server:
            assert main([server.url + suffix, str(SEVEN)]) == 0
        prefix = suffix.rstrip("/")
        assert [urlsplit(one.path).path for one in server.asked] == [f"{prefix}/models", f"{prefix}/predict/image"]

    def test_several_at_once_and_in_their_order(self, tmp_path, capsys):
        barrier = threading.Barrier(3, timeout=20)
        for name in "abcdef":
            (tmp_path / f"{name}.png").write_bytes(SEVEN.read_bytes())

        def predict(asked: Asked) -> Reply:
            barrier.wait()
            return Reply(200, ANSWER)

        with scripted(api(predict)) as server:
            assert main([server.url, str(tmp_path), "--csv", "--parallel", "3"]) == 0
        assert server.most_at_once[0] == 3
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert [Path(row["file"]).name for row in rows] == [f"{name}.png" for name in "abcdef"]

    def test_what_passes_is_tried_again(self, capsys):
        statuses = [429, 503, 0, 200]
        with scripted(api(lambda asked: Reply(statuses.pop(0), ANSWER))) as server:
            assert main([server.url, str(SEVEN)]) == 0
        assert statuses == [] and len(server.asked) == 5


class TestUploads:
    def test_what_is_too_large_goes_through_the_bucket(self, large, capsys):
        stored = []

        def uploads(asked: Asked) -> Reply:
            form = {"url": f"{server.url}/bucket", "fields": {"key": "uploads/x", "Content-Type": "image/jpeg"}}
            return Reply(201, {"image": "s3://b/uploads/x", "upload": form})

        def bucket(asked: Asked) -> Reply:
            stored.append(asked)
            return Reply(204, b"")

        with scripted(api(paths=["/uploads"], uploads=uploads, bucket=bucket)) as server:
            assert main([server.url, str(large), "--top-k", "1", "--model", "odd", "--api-key", "secret"]) == 0
        granted = next(one for one in server.asked if one.path == "/uploads")
        assert json.loads(granted.body) == {"bytes": large.stat().st_size, "content_type": "image/jpeg"}
        assert json.loads(server.asked[-1].body) == {"image": "s3://b/uploads/x", "top_k": 1, "model": "odd"}
        (sent,) = stored
        assert large.read_bytes() in sent.body and "X-Api-Key" not in sent.headers
        names = [part.split(b'"')[1] for part in sent.body.split(b"form-data; name=")[1:]]
        assert names == [b"key", b"Content-Type", b"file"]

    def test_without_a_bucket_the_server_says_what_it_takes(self, large, capsys):
        refusal = Reply(413, {"message": "Request Too Long"})
        with scripted(api(lambda asked: refusal)) as server:
            assert main([server.url, str(large)]) == 1
        assert "the picture is too large for the server (Request Too Long) (413)" in capsys.readouterr().out

    def test_the_bucket_refuses(self, large, capsys):
        form = {"url": "", "fields": {}}

        def uploads(asked: Asked) -> Reply:
            return Reply(201, {"image": "s3://b/x", "upload": {**form, "url": f"{server.url}/bucket"}})

        denied = Reply(403, b"<Error><Code>AccessDenied</Code></Error>")
        with scripted(api(paths=["/uploads"], uploads=uploads, bucket=lambda asked: denied)) as server:
            assert main([server.url, str(large)]) == 1
        assert "S3 refuses the upload with status 403 (AccessDenied)" in capsys.readouterr().out


class TestOutput:
    def test_a_table(self, capsys):
        with scripted(api()) as server:
            assert main([server.url, str(SEVEN), "--top-k", "2"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split() for line in lines] == [
            ["picture", "score", "label", "(model)"],
            [str(SEVEN), "99.99%", "7", "(digits)"],
            ["0.01%", "1", "(digits)"],
        ]

    def test_json_lines(self, tmp_path, capsys):
        (tmp_path / "empty.png").write_bytes(b"")
        with scripted(api()) as server:
            assert main([server.url, str(SEVEN), str(tmp_path / "empty.png"), "--json"]) == 1
        first, second = map(json.loads, capsys.readouterr().out.splitlines())
        assert first == {"file": str(SEVEN), **ANSWER}
        assert second["error"]["message"].endswith("has 0 bytes: expected a picture of 1 to 500000000")

    def test_csv_as_a_spreadsheet_may_open_it(self, tmp_path, capsys, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("=1+1.png").write_bytes(SEVEN.read_bytes())
        answer = {**ANSWER, "predictions": [{"index": 0, "label": "@SUM(1)", "score": 0.5}]}
        with scripted(api(lambda asked: Reply(200, answer))) as server:
            assert main([server.url, "=1+1.png", "--csv"]) == 0
        assert capsys.readouterr().out == "file,label,score,model,error\n'=1+1.png,'@SUM(1),0.5,digits,\n"

    def test_nothing_steers_the_terminal(self, capsys):
        answer = {**ANSWER, "predictions": [{"index": 0, "label": "\x1b[2J\r", "score": 0.5}]}
        with scripted(api(lambda asked: Reply(200, answer))) as server:
            assert main([server.url, str(SEVEN)]) == 0
        assert "?[2J? (digits)" in capsys.readouterr().out


class TestErrors:
    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("ftp://x", "'ftp://x' is no address of an API"),
            ("127.0.0.1:8000", "is no address of an API"),
            ("http://", "is no address of an API"),
            ("http://x:port", "is no address of an API"),
            ("http://[::1", "is no address of an API"),
            ("http://x/?a=b", "is no address of an API"),
            ("http://x/ y", "is no address of an API"),
            ("http://127.0.0.1:9", "http://127.0.0.1:9/models cannot be reached (Connection refused)"),
        ],
    )
    def test_addresses(self, url, says, capsys):
        assert main([url, str(SEVEN), "--tries", "2"]) == 2
        out, err = capsys.readouterr()
        assert says in err and err.count("\n") == 1 and out == ""

    @pytest.mark.parametrize(
        ("reply", "says"),
        [
            (Reply(200, b"<html>"), "does not answer as this API: give its address"),
            (Reply(200, []), "does not answer as this API"),
            (Reply(200, {"models": 1}), "does not answer as this API"),
            (
                Reply(403, {"message": "Missing Authentication Token"}),
                "the stage in the address (Missing Authentication",
            ),
            (Reply(403, {"message": "Forbidden"}), "an API key (--api-key) or another right may be missing"),
            (Reply(404, b"<html>"), "there is no such route: give the address of the API"),
            (Reply(302, b"", {"Location": "https://x/"}), "the server redirects to https://x/: give that address"),
            (Reply(503, {"Message": "it does not load", "Code": "x", "request_id": "r"}), "it does not load"),
            (Reply(500, b""), "the server gives no reason"),
        ],
        ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
    )
    def test_another_server(self, reply, says, capsys):
        with scripted(lambda asked: reply) as server:
            assert main([server.url, str(SEVEN)]) == 2
        err = capsys.readouterr().err
        assert says in err and err.count("\n") == 1

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["x.jpg"], "x.jpg: no such file or folder"),
            ([str(SEVEN), "--model", "other"], "model 'other' is not installed: there are digits, odd"),
            ([str(SEVEN), "--api-key", "@none"], "No such file or directory"),
            ([str(SEVEN), "--customer", "a\nb"], "X-Customer-Id has characters that a header cannot hold"),
        ],
    )
    def test_what_was_given(self, options, says, capsys):
        with scripted(api()) as server:
            assert main([server.url, *options]) == 2
        assert says in capsys.readouterr().err

    @pytest.mark.parametrize("options", [["--top-k", "0"], ["--parallel", "x"], ["--json", "--csv"], []])
    def test_what_argparse_refuses(self, options, capsys):
        with pytest.raises(SystemExit) as stop:
            main(["http://x", *([str(SEVEN)] if options else []), *options])
        assert stop.value.code == 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("client") / "output.txt") as started:
        yield started


class TestAgainstTheApp:
    def test_pictures_of_all_kinds(self, server, tmp_path, capsys):
        (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
        (tmp_path / "a.png").write_bytes(SEVEN.read_bytes())
        assert main([server.url, str(tmp_path), str(SEVEN), "--json"]) == 1
        good, bad, last = map(json.loads, capsys.readouterr().out.splitlines())
        assert [one["predictions"][0]["label"] for one in (good, last)] == ["7", "7"]
        assert bad["error"]["status"] == 422 and "broken or truncated" in bad["error"]["message"]
        assert bad["error"]["request_id"]

    def test_the_table(self, server, capsys):
        assert main([server.url, str(SEVEN)]) == 0
        assert capsys.readouterr().out.splitlines()[1].split()[2:] == ["7", "(digits)"]
