"""One table of fronts by requests: each cell has the status, headers and body of the first front's."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from chalice.test import Client
from urllib3.filepost import encode_multipart_formdata

import app
from chalicelib.inference.formats import BINARY_TYPES
from tests.support.bundles import write_bundle
from tests.support.fronts import FRONTS, Context, Received, Sent, received, rest
from tests.support.pictures import RED
from tests.support.requests import b64, settled

JSON = (("Content-Type", "application/json"),)
PNG = (("Content-Type", "image/png"),)
ORIGIN = (("Origin", "https://example.org"), ("Access-Control-Request-Method", "POST"))
PREDICT = json.dumps({"image": b64(RED), "top_k": 2}).encode()
FORM_BODY, _FORM_TYPE = encode_multipart_formdata({"image": ("seven.png", RED, "image/png"), "top_k": "2"}, "b0undary")
FORM = (("Content-Type", _FORM_TYPE),)
REQUESTS: dict[str, tuple[Sent, int]] = {
    "JSON": (Sent("POST", "/predict", headers=JSON, body=PREDICT), 200),
    "JSON with a charset": (
        Sent("POST", "/predict", headers=(("content-type", "application/json; charset=utf-8"),), body=PREDICT),
        200,
    ),
    "instances": (
        Sent("POST", "/predict", headers=JSON, body=json.dumps({"instances": [{"b64": b64(RED)}] * 2}).encode()),
        200,
    ),
    **{
        f"raw bytes as {kind}": (
            Sent("POST", "/predict/image", "top_k=1", (("Content-Type", kind),), RED),
            200,
        )
        for kind in BINARY_TYPES
    },
    "multipart": (Sent("POST", "/predict", headers=FORM, body=FORM_BODY), 200),
    "multipart, and a query": (Sent("POST", "/predict/image", "model=channels_float", FORM, FORM_BODY), 200),
    "multipart that does not end": (Sent("POST", "/predict", headers=FORM, body=FORM_BODY[:-9]), 400),
    "raw bytes without a type": (Sent("POST", "/predict/image", body=RED), 200),
    "gzip": (
        Sent("POST", "/predict", headers=(*JSON, ("Content-Encoding", "gzip")), body=gzip.compress(PREDICT, mtime=0)),
        200,
    ),
    "KServe": (Sent("GET", "/v2/models/channels_float"), 200),
    "KServe, a model that is encoded": (Sent("GET", "/v2/models/no%20such%2Done/ready"), 404),
    "a page": (Sent("GET", "/"), 200),
    "health": (Sent("GET", "/health"), 200),
    "models": (Sent("GET", "/models"), 200),
    "a query that is encoded": (Sent("POST", "/predict/image", "top%5Fk=%32&model=channels%5Ffloat", PNG, RED), 200),
    "a query with a plus": (Sent("POST", "/predict/image", "model=a+b%2Bc%20d", PNG, RED), 404),
    "a query that is empty": (Sent("POST", "/predict/image", "top_k=", PNG, RED), 400),
    "a query with an unknown name": (Sent("POST", "/predict/image", "x&y=%C3%BC", PNG, RED), 400),
    "no JSON": (Sent("POST", "/predict", headers=JSON, body=b"{"), 400),
    "no body": (Sent("POST", "/predict", headers=JSON), 400),
    "an empty body": (Sent("POST", "/predict/image", headers=PNG, body=b""), 400),
    "an unknown model": (Sent("POST", "/predict", headers=JSON, body=b'{"image": "QUJD", "model": "x"}'), 404),
    "no picture": (Sent("POST", "/predict", headers=JSON, body=b'{"image": "QUJD"}'), 415),
    "a type that is not taken": (Sent("POST", "/predict", headers=(("Content-Type", "text/csv"),), body=b"a,b"), 415),
    "two types": (Sent("POST", "/predict", headers=(*JSON, *PNG), body=PREDICT), 400),
    "one type twice": (Sent("POST", "/predict", headers=(*JSON, *JSON), body=PREDICT), 400),
    "a cut picture": (Sent("POST", "/predict/image", headers=PNG, body=RED[:40]), 422),
    "a method that is none": (Sent("DELETE", "/predict"), 405),
    "a lower-case method": (Sent("get", "/health"), 405),
    "an unknown path": (Sent("GET", "/nowhere"), 404),
    "an unknown path below a route": (Sent("POST", "/predict/image/x", headers=PNG, body=RED), 404),
    "a path with two slashes": (Sent("GET", "//health"), 404),
    "preflight": (Sent("OPTIONS", "/predict/image", headers=ORIGIN), 200),
    "preflight of a GET": (Sent("OPTIONS", "/health", headers=ORIGIN), 200),
    "preflight of what is not for others": (Sent("OPTIONS", "/", headers=ORIGIN), 200),
    "preflight of no route": (Sent("OPTIONS", "/nowhere", headers=ORIGIN), 404),
    "HEAD of the page": (Sent("HEAD", "/"), 200),
    "HEAD of health": (Sent("HEAD", "/health"), 200),
    "HEAD of a POST": (Sent("HEAD", "/predict"), 405),
    "HEAD of no route": (Sent("HEAD", "/nowhere"), 404),
    "a parameter of the path": (Sent("GET", "/batches/b1"), 404),
    "a parameter that is encoded": (Sent("GET", "/batches/caf%C3%A9%20%25%3F"), 404),
    "cookies": (Sent("GET", "/models", headers=(("Cookie", "a=1; b=2"),)), 200),
}
"""Each with its status."""
ONE_VALUE = {"two types", "one type twice"}
"""Requests that a load balancer without multi-value headers cannot hand over whole."""
VARYING = {"x-request-id", "server-timing", "content-length"}
"""HEAD tells the length of a body in which times stand."""


@pytest.fixture
def ask(serve: Callable[..., Client], models_dir: Any, quiet: None) -> Callable[..., Received]:
    write_bundle(models_dir, "channels_int8")
    serve(models_dir)

    def asked(front: str, sent: Sent) -> Received:
        event = json.loads(json.dumps(FRONTS[front](sent)))
        return received(event, app.app(event, Context()))

    return asked


def shown(response: Received) -> tuple[int, dict[str, list[str]], Any]:
    """What must be the same with each front: nothing that is measured, and not the request's id."""
    headers = {name: values for name, values in response.headers.items() if name not in VARYING}
    try:
        body = json.loads(response.body)
    except ValueError:
        body = response.body
    return response.status, headers, settled(body) if isinstance(body, dict) else body


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("front", FRONTS)
def test_a_cell(ask: Callable[..., Received], front: str, request_name: str) -> None:
    sent, status = REQUESTS[request_name]
    if front == "ALB" and request_name in ONE_VALUE:
        pytest.skip("a load balancer hands over one value of each header, unless several are enabled")
    here, there = ask(front, sent), ask("REST", sent)
    assert here.status == status, here.body
    assert shown(here) == shown(there)
    assert here.headers["x-content-type-options"] == ["nosniff"]


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("path", ["/", "/health", "/models", "/openapi.json"])
def test_head_tells_the_length_that_get_has(ask: Callable[..., Received], front: str, path: str) -> None:
    head, get = (ask(front, Sent(method, path)) for method in ("HEAD", "GET"))
    assert (head.status, head.body) == (200, b"")
    (length,) = head.headers["content-length"]
    assert abs(int(length) - len(get.body)) <= 20  # the times in it have more digits or fewer
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize("front", FRONTS)
def test_a_preflight_is_that_of_the_rest_api(ask: Callable[..., Received], front: str) -> None:
    """Chalice deploys this one beside the routes; `chalice local` answers with it."""
    headers = ask(front, Sent("OPTIONS", "/predict/image", headers=ORIGIN)).headers
    assert headers["access-control-allow-methods"] == ["POST,OPTIONS"]
    cors = app.CORS.get_access_control_headers()
    assert {name: headers[name.lower()] for name in cors} == {name: [value] for name, value in cors.items()}


@pytest.mark.parametrize("front", FRONTS)
def test_pages_of_other_sites_may_read_refusals_but_not_the_page(ask: Callable[..., Received], front: str) -> None:
    assert ask(front, Sent("GET", "/nowhere")).headers["access-control-allow-origin"] == ["*"]
    assert "access-control-allow-origin" not in ask(front, Sent("OPTIONS", "/")).headers


@pytest.mark.parametrize("front", FRONTS)
def test_the_contract_names_the_prefix_under_which_it_was_asked_for(ask: Callable[..., Received], front: str) -> None:
    (server,) = json.loads(ask(front, Sent("GET", "/openapi.json")).body)["servers"]
    stages = {"REST": "/api", "HTTP 2.0, stage": "/api", "HTTP 1.0, {proxy+}": "/v7"}
    assert server == {"url": stages.get(front, "/")}


@pytest.mark.parametrize("front", FRONTS)
def test_the_request_has_the_id_of_the_front_or_of_the_invocation(ask: Callable[..., Received], front: str) -> None:
    expected = Context.aws_request_id if front.startswith("ALB") else "front-1"
    for path in ("/health", "/nowhere"):
        response = ask(front, Sent("GET", path))
        assert response.headers["x-request-id"] == [expected]
        assert json.loads(response.body)["request_id"] == expected


@pytest.mark.parametrize("front", [name for name in FRONTS if name != "HTTP 1.0, routes" and "REST" not in name])
@pytest.mark.parametrize("path", ["/health/", "/%68ealth", "/heal%74h/"])
def test_spellings_of_a_path(ask: Callable[..., Received], front: str, path: str) -> None:
    assert ask(front, Sent("GET", path)).status == 200


def test_a_rest_event_reaches_chalice_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    event, seen = rest(REQUESTS["JSON"][0]), []
    monkeypatch.setattr(type(app.app), "serve", lambda _, event, __: seen.append(event) or {})
    app.app(event, Context())
    assert seen[0] is event
