"""Only https on the public internet, checked at each redirect, bounded in bytes and time. The server is on loopback."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chalicelib.errors import ClientError, InvalidRequest, ObjectForbidden, PayloadTooLarge
from chalicelib.lex.web import Web, _addresses, _Pinned

PUBLIC = "93.184.215.14"
PICTURE = b"\x89PNG" + bytes(1000)


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind = self.path.partition("?")[0].strip("/")
        if kind == "picture":
            self._send(200, {"Content-Length": str(len(PICTURE))}, PICTURE)
        elif kind == "chunks":
            self._send(200, {}, PICTURE)
        elif kind == "cut":
            self._send(200, {"Content-Length": "5000"}, PICTURE)
        elif kind == "endless":
            self._send(200, {}, b"x" * 200_000)
        elif kind == "drip":
            self._send(200, {"Content-Length": "1000"})
            for _ in range(50):
                self.wfile.write(b"x")
                time.sleep(0.05)
        elif kind.startswith("to-"):
            self._send(302, {"Location": self.server.locations[kind]})
        else:
            self._send(404, {"Content-Length": "0"})

    def _send(self, status: int, headers: dict, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(OSError):  # the client has cut the connection
            super().handle()


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    started = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    started.locations = {
        "to-picture": "/picture",
        "to-itself": "/to-itself",
        "to-private": "https://intern.example/picture",
        "to-http": "http://example.org/picture",
        "to-file": "file:///etc/passwd",
    }
    thread = threading.Thread(target=started.serve_forever, args=(0.01,))
    thread.start()
    yield started
    started.shutdown()
    thread.join()
    started.server_close()


@pytest.fixture
def web(server) -> Web:
    """As if the public address were this server's."""
    hosts = {"intern.example": ["10.0.0.1"], "gone.example": []}

    def connect(host: str, address: str, timeout_s: float) -> http.client.HTTPConnection:
        assert address == PUBLIC
        return http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=timeout_s)

    return Web(lambda host: hosts.get(host, [PUBLIC]), connect, time_s=0.5)


@pytest.mark.parametrize("path", ["picture", "picture?x=1", "chunks", "to-picture"])
def test_a_picture(web, path):
    assert web.fetch(f"https://example.org/{path}", 5000) == PICTURE


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("none", InvalidRequest),
        ("cut", InvalidRequest),
        ("drip", InvalidRequest),
        ("endless", PayloadTooLarge),
        ("to-itself", InvalidRequest),
        ("to-private", ObjectForbidden),
        ("to-http", ObjectForbidden),
        ("to-file", ObjectForbidden),
    ],
)
def test_what_is_refused(web, path, error):
    with pytest.raises(error):
        web.fetch(f"https://example.org/{path}", 5000)


def test_the_size_is_refused_before_it_is_read(web):
    with pytest.raises(PayloadTooLarge, match="1004"):
        web.fetch("https://example.org/picture", 1000)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a", "ftp://example.org/a", "file:///etc/passwd", "https://", "https:///a", "//example.org",
        "https://example.org:8443/a", "https://example.org:99999/a", "https://user:secret@example.org/a",
        "https://exa mple.org/", "https://example.org/\r\nHost: other", "https://[::1]/", "https://[", "",
        "https://intern.example/a", "https://gone.example/a",
    ],
)  # fmt: skip
def test_addresses_that_are_not_asked(web, url):
    with pytest.raises(ClientError):
        web.fetch(url, 5000)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254",
        "169.254.170.2", "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1",
    ],
)  # fmt: skip
def test_hosts_that_are_not_public(address):
    def connect(*_: object) -> http.client.HTTPConnection:
        raise AssertionError(f"{address} was asked")

    with pytest.raises(ObjectForbidden, match="not on the public internet"):
        Web(lambda _: [address], connect).fetch("https://example.org/a", 5000)


@pytest.mark.parametrize("spelling", ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "localhost"])
def test_every_spelling_of_loopback_is_resolved_before_it_is_checked(spelling):
    assert set(_addresses(spelling)) == {"127.0.0.1"}


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    asked = []
    monkeypatch.setattr("socket.create_connection", lambda where, *_: asked.append(where) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        _Pinned("example.org", PUBLIC, 0.2).connect()
    assert asked == [(PUBLIC, 443)]
