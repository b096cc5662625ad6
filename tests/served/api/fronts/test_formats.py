"""What is read of an event, and how a response is written, where the app's own routes do not show it."""

import base64
import json
from typing import Any

import pytest
from chalice import IAMAuthorizer

import app
from chalicelib.api.fronts import alb, door, events, format_1, format_2
from chalicelib.errors import UnknownRoute
from tests.support.fronts import FRONTS, Context, Sent, received
from tests.support.paths import DATA

PATHS = ("/", "/models", "/models/{model}", "/models/{model}/infer", "/models/all/infer")
ROUTES: dict[str, dict[str, Any]] = {path: {} for path in PATHS}


def stored(name: str) -> Any:
    return json.loads((DATA / "events" / f"{name}.json").read_text(encoding="utf-8"))


class TestRoutes:
    @pytest.mark.parametrize(
        ("path", "route", "parameters"),
        [
            ("", "/", {}),
            ("/", "/", {}),
            ("/models/", "/models", {}),
            ("/models/a%20b", "/models/{model}", {"model": "a%20b"}),
            ("/models/a%2Fb/infer", "/models/{model}/infer", {"model": "a%2Fb"}),
            ("/models/all/infer", "/models/all/infer", {}),
            ("/mod%65ls/all/inf%65r", "/models/all/infer", {}),
        ],
    )
    def test_a_path_finds_its_route(self, path: str, route: str, parameters: dict[str, str]) -> None:
        assert events.find(ROUTES, [path]) == (route, parameters)

    @pytest.mark.parametrize(
        "path", ["/Models", "//models", "/models//infer", "/models/a/b/c", "models", "/models%2Fa/infer/x"]
    )
    def test_another_is_none(self, path: str) -> None:
        with pytest.raises(UnknownRoute, match="expected one of /, /models, "):
            events.find(ROUTES, [path])

    @pytest.mark.parametrize(
        ("stage", "path", "paths"),
        [
            (None, "/models", ["/models"]),
            ("$default", "/models", ["/models"]),
            ("v1", "/v1/models", ["/models", "/v1/models"]),
            ("v1", "/v1", ["/", "/v1"]),
            ("v1", "/v10/models", ["/v10/models"]),
            ("models", "/models/x", ["/x", "/models/x"]),
        ],
    )
    def test_the_prefix_of_a_stage(self, stage: str | None, path: str, paths: list[str]) -> None:
        assert events.within(stage, path) == paths


class TestReading:
    def test_a_cookie_is_a_header_again(self) -> None:
        asked = format_2.read(stored("http_2_jwt"), app.app.routes)
        assert asked["headers"]["cookie"] == "theme=dark; lang=de"

    @pytest.mark.parametrize("name", ["rest", "http_1", "http_2_jwt", "url_iam"])
    def test_a_query_has_all_its_values(self, name: str) -> None:
        event = stored(name)
        asked = door._front_of(event)[0](event, app.app.routes)
        assert asked["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}

    def test_a_balancer_s_query_is_decoded_here(self) -> None:
        assert alb.read(stored("alb"), app.app.routes)["multiValueQueryStringParameters"] == {"a": ["1 x"], "b": [""]}
        several = alb.read(stored("alb_several"), app.app.routes)["multiValueQueryStringParameters"]
        assert several == {"a": ["1 x", "2"], "b": [""]}

    def test_a_query_in_one_form_alone(self) -> None:
        event = {**stored("rest"), "multiValueQueryStringParameters": None}
        asked = format_1.read(event, app.app.routes)
        assert asked["multiValueQueryStringParameters"] == {"a": ["2"], "b": [""]}

    @pytest.mark.parametrize(("name", "claims"), [("http_1", "sub"), ("http_2_jwt", "sub"), ("rest", "sub")])
    def test_claims_stand_where_a_rest_api_has_them(self, name: str, claims: str) -> None:
        event = stored(name)
        asked = door._front_of(event)[0](event, app.app.routes)
        assert asked["requestContext"]["authorizer"]["claims"][claims] == "7a1c6e2e-user"

    def test_what_an_authorizer_of_one_s_own_says(self) -> None:
        asked = format_2.read(stored("http_2_lambda"), app.app.routes)
        assert asked["requestContext"]["authorizer"] == {"tenant": "north", "level": 3}

    @pytest.mark.parametrize("name", ["rest", "http_1", "http_2_jwt", "url_iam", "alb", "alb_several"])
    def test_the_caller_s_address(self, name: str) -> None:
        event = stored(name)
        asked = door._front_of(event)[0](event, app.app.routes)
        assert asked["requestContext"]["identity"]["sourceIp"] == "192.0.2.44"

    def test_a_balancer_s_caller_is_the_address_that_it_has_added(self) -> None:
        event = stored("alb")
        event["headers"]["x-forwarded-for"] = "203.0.113.9, 192.0.2.44"  # the first is what a client has made up
        assert alb.read(event, app.app.routes)["requestContext"]["identity"]["sourceIp"] == "192.0.2.44"

    @pytest.mark.parametrize(
        ("name", "customer"),
        [("rest", "9zkey"), ("http_1", "7a1c6e2e-user"), ("http_2_jwt", "7a1c6e2e-user"), ("url_iam", "AROAEXAMPLE")],
    )
    def test_the_customer_of_each_is_in_the_log_line(
        self, name: str, customer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        app.app(stored(name), Context())
        assert json.loads(capsys.readouterr().out)["customer"] == customer


RESPONSE = {
    "statusCode": 200,
    "headers": {"Content-Type": "image/png", "Set-Cookie": "a=1"},
    "multiValueHeaders": {"Vary": ["Origin", "Accept"], "set-cookie": ["b=2", "c=3"]},
    "body": base64.b64encode(b"\x89PNG").decode(),
    "isBase64Encoded": True,
}


class TestWriting:
    def test_format_2_joins_headers_and_lists_cookies(self) -> None:
        written = format_2.write({}, RESPONSE)
        assert written["headers"] == {"Content-Type": "image/png", "Vary": "Origin, Accept"}
        assert written["cookies"] == ["a=1", "b=2", "c=3"]
        assert (written["isBase64Encoded"], base64.b64decode(written["body"])) == (True, b"\x89PNG")

    def test_a_balancer_gets_the_form_that_it_sent(self) -> None:
        several = alb.write({"multiValueHeaders": {}}, RESPONSE)
        assert several["multiValueHeaders"] == {
            "Content-Type": ["image/png"],
            "Set-Cookie": ["a=1"],
            "Vary": ["Origin", "Accept"],
            "set-cookie": ["b=2", "c=3"],
        }
        one = alb.write({"headers": {}}, RESPONSE)
        assert one["headers"]["Vary"] == "Origin, Accept"
        assert (one["statusDescription"], one["isBase64Encoded"]) == ("200 OK", True)

    def test_head_of_bytes_tells_their_number(self) -> None:
        asked = {"requestContext": {"httpMethod": "HEAD"}}
        response = door._without_body(asked, RESPONSE)
        assert (response["headers"]["Content-Length"], response["body"]) == ("4", None)

    def test_head_of_text_tells_its_bytes(self) -> None:
        asked = {"requestContext": {"httpMethod": "HEAD"}}
        response = door._without_body(asked, {"statusCode": 200, "headers": {}, "multiValueHeaders": {}, "body": "ü"})
        assert response["headers"]["Content-Length"] == "2"


class TestSignedRoutes:
    """A REST API checks signatures itself. With others a route that is for signed requests must not stand open."""

    @pytest.fixture(autouse=True)
    def _signed(self, monkeypatch: pytest.MonkeyPatch, client: Any, quiet: None) -> None:
        for path in ("/batches", "/batches/{batch_id}"):
            for entry in app.app.routes[path].values():
                monkeypatch.setattr(entry, "authorizer", IAMAuthorizer())

    @pytest.mark.parametrize("front", [name for name in FRONTS if name != "REST"])
    @pytest.mark.parametrize(
        "sent", [Sent("POST", "/batches", body=b"{}"), Sent("GET", "/batches/b1"), Sent("HEAD", "/batches/b1")]
    )
    def test_an_unsigned_request_is_forbidden(self, front: str, sent: Sent) -> None:
        event = FRONTS[front](sent)
        assert received(event, app.app(event, Context())).status == 403

    @pytest.mark.parametrize("front", ["REST", "HTTP 1.0, $default", "HTTP 2.0, $default", "URL"])
    def test_a_signed_one_is_answered(self, front: str) -> None:
        event = FRONTS[front](Sent("GET", "/batches/b1"))
        arn = "arn:aws:iam::123456789012:user/alice"
        if "identity" in event["requestContext"]:
            event["requestContext"]["identity"]["userArn"] = arn
        else:
            event["requestContext"]["authorizer"] = {"iam": {"userArn": arn, "callerId": "AIDA1"}}
        assert received(event, app.app(event, Context())).status == 404  # this stage has no batches

    def test_a_preflight_has_no_signature(self) -> None:
        event = FRONTS["URL"](Sent("OPTIONS", "/batches"))
        assert received(event, app.app(event, Context())).status == 200
