"""The Runtime API as a client sees it, also one that does not keep to it."""

import http.client
import json
import threading

import pytest

from localaws.host.invocation import Invocation
from localaws.host.runtime_api import RuntimeApi

NEXT = "/2018-06-01/runtime/invocation/next"


@pytest.fixture
def api():
    api = RuntimeApi()
    yield api
    api.close()


@pytest.fixture
def send(api):
    def send(method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(api.address, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    return send


@pytest.fixture
def invocation(api):
    invocation = Invocation(b'{"a": 1}', "arn:aws:lambda:us-east-1:1:function:f", 3.0)
    invocation.begin()
    api.hand_over(invocation)
    return invocation


def test_it_listens_on_loopback_only(api):
    assert api.address.startswith("127.0.0.1:")


def test_next_carries_the_event_and_what_the_context_is_made_of(api, send, invocation):
    response, body = send("GET", NEXT)
    assert (response.status, body) == (200, b'{"a": 1}')
    assert response.headers["Lambda-Runtime-Aws-Request-Id"] == invocation.request_id
    assert response.headers["Lambda-Runtime-Invoked-Function-Arn"] == invocation.arn
    assert int(response.headers["Lambda-Runtime-Deadline-Ms"]) == invocation.deadline_epoch_ms
    assert api.initialised.is_set()
    assert invocation.fetched


def test_a_response_and_an_error(api, send, invocation):
    send("GET", NEXT)
    response, _ = send("POST", f"/2018-06-01/runtime/invocation/{invocation.request_id}/response", b'"good"')
    assert (response.status, invocation.answer, invocation.error_type) == (202, b'"good"', None)

    second = Invocation(b"{}", "arn", 3.0)
    api.hand_over(second)
    send("POST", f"/2018-06-01/runtime/invocation/{second.request_id}/error", b'{"errorType": "E"}')
    assert (second.answer, second.error_type) == (b'{"errorType": "E"}', "E")
    assert second.done.is_set()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/2018-06-01/runtime/invocation/other", 404),
        ("POST", "/2018-06-01/runtime/invocation/x", 404),
        ("POST", "/2018-06-01/runtime/invocation/unknown-id/response", 400),
        ("PUT", NEXT, 501),
    ],
)
def test_what_is_not_in_the_api(send, invocation, method, path, status):
    response, body = send(method, path, b"garbage" if method == "POST" else None)
    assert response.status == status
    assert not invocation.done.is_set()
    if status != 501:
        assert set(json.loads(body)) == {"errorType", "errorMessage"}


def test_an_event_is_answered_once(send, invocation):
    path = f"/2018-06-01/runtime/invocation/{invocation.request_id}/response"
    assert send("POST", path, b"1")[0].status == 202
    assert send("POST", path, b"2")[0].status == 400
    assert invocation.answer == b"1"


@pytest.mark.parametrize("body", [b"", b"garbage", b"[]", b'{"errorType": null}'])
def test_an_error_in_no_known_form_is_an_error_still(send, invocation, body):
    send("POST", f"/2018-06-01/runtime/invocation/{invocation.request_id}/error", body)
    assert invocation.error_type
    assert invocation.answer == body


def test_an_error_at_the_start(api, send):
    assert send("POST", "/2018-06-01/runtime/init/error", b'{"errorType": "X"}')[0].status == 202
    assert api.initialised.is_set()
    assert api.init_error == b'{"errorType": "X"}'


def test_closing_releases_a_client_that_waits():
    api = RuntimeApi()
    host, port = api.address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", NEXT)
    threading.Timer(0.1, api.close).start()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()
    connection.close()
