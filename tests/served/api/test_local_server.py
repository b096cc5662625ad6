"""What `chalice local` lacks of a gateway: bodies in chunks, two Content-Types, HEAD's length."""

import http.client
import io
import json
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.api.local_server import BadChunks, read_chunks
from tests.support.local_server import Server, serving
from tests.support.paths import SEVEN

PICTURE = SEVEN.read_bytes()


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


class TestReading:
    @given(st.lists(st.binary(min_size=1, max_size=40), max_size=9))
    def test_a_body_is_what_was_sent_or_its_beginning(self, chunks):
        whole = b"".join(chunks)
        stream = io.BytesIO(chunked(*chunks) + b"next")
        assert read_chunks(stream, 1000) == (whole, True) and stream.read() == b"next"
        assert read_chunks(io.BytesIO(chunked(*chunks)), 50)[0] == whole[:51]

    def test_an_endless_one_is_left(self):
        body, is_whole = read_chunks(io.BytesIO(b"a\r\n0123456789\r\n" * 1000), 50)
        assert (len(body), is_whole) == (51, False)

    @pytest.mark.parametrize(
        "sent", [b"3;a=b\r\nabc\r\n0\r\n\r\n", b"03\nabc\n0\n\n", b"3\r\nabc\r\n0\r\nA: b\r\n\r\n"]
    )
    def test_extensions_and_trailers_are_dropped(self, sent):
        assert read_chunks(io.BytesIO(sent), 50) == (b"abc", True)

    @pytest.mark.parametrize(
        "sent",
        [
            *(b"", b"3", b"3\r\n", b"3\r\nab", b"3\r\nabc", b"3\r\nabcd\r\n0\r\n\r\n", b"0\r\n", b"\r\n", b"-1\r\n"),
            *(b"0x3\r\nabc\r\n", b"+3\r\nabc\r\n", b"3 3\r\nabc", b"fffffffff\r\n", b"x" * 5000),
            b"0\r\n" + b"A: b\r\n" * 100 + b"\r\n",
        ],
    )
    def test_damaged(self, sent):
        with pytest.raises(BadChunks):
            read_chunks(io.BytesIO(sent), 50)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("chunks") / "output.txt") as started:
        yield started


def talk(server: Server, sent: bytes) -> tuple[int, dict]:
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(sent)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, json.loads(response.read())


def head(*lines: bytes) -> bytes:
    return b"\r\n".join([b"POST /predict/image HTTP/1.1", b"Host: x", *lines, b"", b""])


CHUNKED = b"Transfer-Encoding: chunked"


class TestServer:
    def test_a_body_in_chunks_and_the_next_request(self, server):
        """On one connection: nothing of the first body is left for the second request."""
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for _ in range(2):
            pieces = (PICTURE[at : at + 999] for at in range(0, len(PICTURE), 999))
            connection.request("POST", "/predict/image", pieces, {"Content-Type": "image/png"}, encode_chunked=True)
            response = connection.getresponse()
            assert json.loads(response.read())["predictions"][0]["label"] == "7"
        connection.close()

    def test_one_that_is_too_large(self, server):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", "/predict/image", (bytes(100_000) for _ in range(100)), encode_chunked=True)
        assert connection.getresponse().status == 413
        connection.close()

    @pytest.mark.parametrize(
        ("sent", "says"),
        [
            (head(CHUNKED) + b"zz\r\n", "'zz' is no length of a chunk"),
            (head(CHUNKED, b"Content-Length: 5") + b"0\r\n\r\n", "and without Content-Length"),
            (head(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", "chunked alone"),
            (head(b"Content-Type: image/png", b"Content-Type: a/b", b"Content-Length: 1") + b"x", "two Content-Types"),
        ],
    )
    def test_refusals(self, server, sent, says):
        status, body = talk(server, sent)
        assert status == 400 and says in body["Message"]

    def test_head_tells_the_length_of_get(self, server):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for path in ("/models", "/", "/v2", "/v1/models/digits"):
            connection.request("HEAD", path)
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, b"")
            assert int(response.headers["Content-Length"]) > 20
        connection.close()
