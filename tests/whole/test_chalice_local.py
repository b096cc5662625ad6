"""`chalice local` as a user starts it, over real HTTP: what Chalice's test client hides shows here."""

import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chalicelib.inference.formats import BINARY_TYPES
from tests.support.bundles import DATA_DIR
from tests.support.local_server import Server, exchange, serving
from tests.support.pictures import encode
from tests.support.requests import assert_is_error, b64, settled

SEVEN = (DATA_DIR / "seven.png").read_bytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("chalice-local") / "output.txt") as started:
        yield started


@pytest.fixture(scope="module")
def only_one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose CORS_ALLOW_ORIGIN names one origin."""
    output = tmp_path_factory.mktemp("cors") / "output.txt"
    with serving(output, CORS_ALLOW_ORIGIN="https://shop.example") as started:
        yield started


class TestOverHttp:
    def test_the_first_answer_leaves_the_cold_start_in_the_log(self, server):
        assert server.log_lines() == []
        status, body = server.send("POST", "/predict", json.dumps({"image": b64(SEVEN)}).encode(), "application/json")
        assert (status, body["predictions"][0]["label"], body["cold_start"]) == (200, "7", True)
        (line,) = server.log_lines()
        assert (line["status"], line["model"], line["request_id"]) == (200, "digits", body["request_id"])
        assert {"import_ms", "model_load_ms", "first_inference_ms", "total_ms"} <= set(line["cold_start_ms"])

    def test_health(self, server):
        status, body = server.send("GET", "/health")
        assert (status, body["status"], body["model"]["name"]) == (200, "ok", "digits")

    @pytest.mark.parametrize("content_type", BINARY_TYPES)
    def test_bytes_of_every_binary_type(self, server, content_type):
        data = SEVEN + bytes(range(256))  # not UTF-8, whatever the type
        status, body = server.send("POST", "/predict/image?top_k=1", data, content_type)
        assert (status, [p["label"] for p in body["predictions"]]) == (200, ["7"])

    @pytest.mark.parametrize(
        ("path", "data", "content_type", "status"),
        [
            ("/predict", b"\xff\xfe\x80\x81", "application/json", 400),
            ("/predict", b'{"image": "\xc3\x28"}', "application/json", 400),
            ("/predict", None, "application/json", 400),
            ("/predict", None, None, 400),
            ("/predict", b"\xff\xd8\xff", "image/jpeg", 422),
            ("/predict/image", None, "image/png", 400),
            ("/predict/image", b"\xff\xd8\xff", "image/jpeg", 422),
            ("/predict/image", b"\x80\x81", "application/octet-stream", 415),
            ("/predict/image", b"\x80\x81", "image/tiff", 415),
            ("/predict/image?top_k=11", SEVEN, "image/png", 400),
            ("/predict/image?top_k=%F0%9F%98%80&model=%00", SEVEN, "image/png", 400),
            ("/predict/image?model=x%0A%7B%7D", SEVEN, "image/png", 404),
            ("/predict/image", bytes(7_000_000), "image/png", 413),
            ("/predict", b'{"image": "' + b"A" * 7_000_000 + b'"}', "application/json", 413),
        ],
    )
    def test_bad_input(self, server, path, data, content_type, status):
        got, body = server.send("POST", path, data, content_type)
        assert got == status
        assert assert_is_error(body, status)

    def test_every_request_left_one_line(self, server):
        before = len(server.log_lines())
        for _ in range(3):
            server.send("POST", "/predict", b"\xff\n{}\n", "application/json")
        lines = server.log_lines()[before:]
        assert [(line["event"], line["status"]) for line in lines] == [("request", 400)] * 3
        assert sum(line.get("cold_start", False) for line in server.log_lines()) == 1


class TestConcurrency:
    def test_200_requests_from_8_threads_get_the_serial_answers(self, server):
        requests = [self.request(number) for number in range(200)]
        serial = [self.answer(server.send("POST", *request)) for request in requests]
        assert len({json.dumps(body.get("predictions")) for _, body in serial}) > 100
        barrier = threading.Barrier(8)

        def every_eighth(first: int):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            barrier.wait()
            try:
                return [
                    (number, self.answer(exchange(connection, "POST", *requests[number])))
                    for number in range(first, 200, 8)
                ]
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            answers = dict(answer for part in pool.map(every_eighth, range(8)) for answer in part)
        assert [answers[number] for number in range(200)] == serial

    @staticmethod
    def request(number: int) -> tuple[str, bytes, str]:
        """Digits shifted, noisy and broken, by either route."""
        pixels = np.asarray(Image.open(DATA_DIR / "seven.png").convert("L")).astype(np.int16)
        noise = np.random.default_rng(number).integers(-40, 41, pixels.shape)
        shifted = np.roll(pixels, number % 13 - 6, axis=number % 2) + noise
        data = encode(Image.fromarray(np.clip(shifted, 0, 255).astype(np.uint8)))
        if number % 10 == 9:
            data = data[:-number]
        if number % 2:
            return "/predict", json.dumps({"image": b64(data), "top_k": number % 10 + 1}).encode(), "application/json"
        return f"/predict/image?top_k={number % 10 + 1}", data, "image/png"

    @staticmethod
    def answer(response: tuple[int, dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        return response[0], settled(response[1])


class TestOtherOrigins:
    """CORS as browsers ask for it, for any origin and for the one that CORS_ALLOW_ORIGIN names."""

    @staticmethod
    def headers(server: Server, method: str, path: str, **sent: str) -> dict[str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in sent.items()})
            response = connection.getresponse()
            response.read()
            return dict(response.headers)
        finally:
            connection.close()

    @pytest.mark.parametrize("path", ["/predict", "/predict/image"])
    def test_the_preflight(self, server, only_one, path):
        for started, origin in ((server, "*"), (only_one, "https://shop.example")):
            asked = {"Origin": "https://shop.example", "Access_Control_Request_Method": "POST"}
            headers = self.headers(started, "OPTIONS", path, **asked)
            assert headers["Access-Control-Allow-Origin"] == origin
            assert headers["Access-Control-Allow-Methods"] == "POST,OPTIONS"
            assert "Content-Type" in headers["Access-Control-Allow-Headers"].split(",")
            assert headers["Access-Control-Max-Age"] == "600"

    def test_the_answer(self, server, only_one):
        for started, origin in ((server, "*"), (only_one, "https://shop.example")):
            for path in ("/models", "/health", "/openapi.json"):
                headers = self.headers(started, "GET", path)
                assert headers["Access-Control-Allow-Origin"] == origin
                assert headers["Server-Timing"] and headers["X-Request-Id"]


class TestServerTiming:
    def test_it_has_the_spans_of_the_answer(self, server):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", "/predict/image", SEVEN, {"Content-Type": "image/png"})
        response = connection.getresponse()
        spans = json.loads(response.read())["timing_ms"]
        assert response.headers["Server-Timing"] == ", ".join(f"{name};dur={ms}" for name, ms in spans.items())
        connection.close()
