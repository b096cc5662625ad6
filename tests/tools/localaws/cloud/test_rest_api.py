"""API Gateway: the event that a request becomes, the response that an answer becomes, and what never arrives."""

import base64
import http.client
import json
import re

import pytest

from layers.pythons import own
from localaws.cloud import rest_api
from localaws.cloud.rest_api import find_resource
from tests.support.toys import zip_of

ROLE = "arn:aws:iam::123456789012:role/rest"
PIXELS = bytes(range(256))
ECHO = """
import base64, json, os

def handler(event, context):
    if event["path"] == "/fail":
        raise ValueError("secret")
    if event["path"] == "/malformed":
        return "no proxy response"
    if event["path"] == "/picture":
        return {"statusCode": 200, "body": base64.b64encode(bytes(range(256))).decode(), "isBase64Encoded": True,
                "headers": {"Content-Type": "image/png"}}
    return {"statusCode": 201, "body": json.dumps(event), "multiValueHeaders": {"X-Two": ["a", "b"]},
            "headers": {"Content-Type": "application/json", "X-One": "1"}}
"""


def document(function_arn):
    """As Chalice writes it: Swagger 2.0, no description, a mock integration without a URI for CORS."""
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    proxy = {"responses": {}, "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": uri,
             "responses": {"default": {"statusCode": "200"}}}}  # fmt: skip
    headers = {"method.response.header.Access-Control-Allow-Origin": "'*'"}
    preflight = {"responses": {"200": {}}, "x-amazon-apigateway-integration": {"type": "mock",
                 "responses": {"default": {"statusCode": "200", "responseParameters": headers}}}}  # fmt: skip
    paths = ["/", "/batches", "/batches/{id}", "/fail", "/files/{proxy+}", "/malformed", "/picture"]
    return {
        "swagger": "2.0",
        "info": {"version": "1.0", "title": "rest"},
        "paths": {path: {"get": proxy, "post": proxy, "options": preflight} for path in paths},
        "x-amazon-apigateway-binary-media-types": ["image/png", "application/octet-stream"],
    }


@pytest.fixture(scope="module")
def api(cloud):
    """`send(method, path, ...)` to a deployed API."""
    functions, gateway = cloud.client("lambda"), cloud.client("apigateway")
    cloud.client("iam").create_role(RoleName="rest", AssumeRolePolicyDocument="{}")
    arn = functions.create_function(
        FunctionName="rest", Runtime=own().runtime, Role=ROLE, Handler="toy.handler", MemorySize=512,
        Code={"ZipFile": zip_of({"toy.py": ECHO})}, Timeout=20,
    )["FunctionArn"]  # fmt: skip
    api_id = gateway.import_rest_api(body=json.dumps(document(arn)).encode())["id"]
    gateway.create_deployment(restApiId=api_id, stageName="api")
    url = cloud.api_url(api_id, "api")
    port, prefix = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/.*/)", url).groups()

    def send(method, path, body=None, headers=None, base=prefix):
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
        try:
            connection.request(method, base.rstrip("/") + path, body, headers or {})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    yield send
    functions.close()
    gateway.close()


def event_of(api, *request):
    response, body = api(*request)
    assert response.status == 201, body
    return json.loads(body)


class TestEvent:
    def test_what_a_request_becomes(self, api):
        event = event_of(api, "POST", "/batches/a%20b?x=1&x=2&empty=", b'{"k": "\xc3\xbc"}', {"X-Custom": "v"})
        assert (event["resource"], event["path"], event["httpMethod"]) == ("/batches/{id}", "/batches/a b", "POST")
        assert event["pathParameters"] == {"id": "a b"}
        assert event["queryStringParameters"] == {"x": "2", "empty": ""}
        assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "empty": [""]}
        assert (event["headers"]["X-Custom"], event["multiValueHeaders"]["X-Custom"]) == ("v", ["v"])
        assert (event["body"], event["isBase64Encoded"]) == ('{"k": "ü"}', False)
        context = event["requestContext"]
        assert (context["stage"], context["resourcePath"], context["httpMethod"]) == ("api", "/batches/{id}", "POST")
        assert context["identity"]["sourceIp"] == "127.0.0.1"

    def test_what_is_absent_is_null(self, api):
        event = event_of(api, "GET", "/")
        absent = (
            "body",
            "pathParameters",
            "queryStringParameters",
            "multiValueQueryStringParameters",
            "stageVariables",
        )
        assert [event[name] for name in absent] == [None] * 5

    def test_request_ids_differ(self, api):
        ids = {event_of(api, "GET", "/")["requestContext"]["requestId"] for _ in range(3)}
        assert len(ids) == 3

    @pytest.mark.parametrize("kind", ["image/png", "IMAGE/PNG", "application/octet-stream; v=1"])
    def test_binary_types_come_in_base64(self, api, kind):
        event = event_of(api, "POST", "/", PIXELS, {"Content-Type": kind})
        assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (PIXELS, True)

    def test_other_types_come_as_text_even_if_that_breaks_them(self, api):
        """`image/webp` is not among the binary types here: what a function gets then is not the picture."""
        event = event_of(api, "POST", "/", PIXELS, {"Content-Type": "image/webp"})
        assert event["isBase64Encoded"] is False
        assert "\ufffd" in event["body"]


class TestResponse:
    def test_status_headers_and_repeated_headers(self, api):
        response, _ = api("GET", "/")
        assert (response.status, response.headers["X-One"]) == (201, "1")
        assert response.headers.get_all("X-Two") == ["a", "b"]

    def test_bytes_go_only_to_a_client_that_accepts_them_first(self, api):
        assert api("GET", "/picture", None, {"Accept": "image/png"})[1] == PIXELS
        for accept in ("*/*", "text/html, image/png"):
            assert api("GET", "/picture", None, {"Accept": accept})[1] == base64.b64encode(PIXELS)

    @pytest.mark.parametrize("path", ["/fail", "/malformed"])
    def test_a_function_that_fails_is_a_502_that_tells_nothing(self, api, path):
        response, body = api("GET", path)
        assert (response.status, json.loads(body)) == (502, {"message": "Internal server error"})

    def test_a_preflight_is_answered_without_the_function(self, api):
        response, _ = api("OPTIONS", "/batches")
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (200, "*")


class TestRefused:
    @pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("GET", "/batches/1/2"), ("DELETE", "/batches")])
    def test_what_is_no_route(self, api, method, path):
        response, body = api(method, path)
        assert (response.status, json.loads(body)) == (403, {"message": "Missing Authentication Token"})

    @pytest.mark.parametrize("base", ["/restapis/none/api/_user_request_", "/restapis/x/y/_user_request_"])
    def test_an_api_that_is_not_there(self, api, base):
        assert api("GET", "/", None, {}, base)[0].status == 403

    @pytest.mark.parametrize("size", [6_300_000, 10_500_000])
    def test_a_body_that_lambda_or_the_gateway_does_not_take(self, api, size):
        response, body = api("POST", "/", b"a" * size, {"Content-Type": "text/plain"})
        assert (response.status, json.loads(body)) == (413, {"message": "Request Too Long"})


class TestGatewayResponses:
    """The gateway's own errors have the headers that the API gives them; a function's answer has not."""

    @pytest.fixture(autouse=True)
    def given(self, api, cloud):
        gateway = cloud.client("apigateway")
        api_id = gateway.get_rest_apis()["items"][0]["id"]
        header = {"gatewayresponse.header.Access-Control-Allow-Origin": "'https://page.example'"}
        kinds = "DEFAULT_4XX", "DEFAULT_5XX"
        for kind in kinds:
            gateway.put_gateway_response(restApiId=api_id, responseType=kind, responseParameters=header)
        yield
        for kind in kinds:
            gateway.delete_gateway_response(restApiId=api_id, responseType=kind)
        gateway.close()

    @pytest.mark.parametrize(("path", "status"), [("/nothing", 403), ("/fail", 502)])
    def test_errors_have_them(self, api, path, status):
        response, _ = api("GET", path)
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (status, "https://page.example")

    def test_a_function_s_answer_has_not(self, api):
        response, _ = api("GET", "/")
        assert (response.status, "Access-Control-Allow-Origin" in response.headers) == (201, False)

    def test_a_throttled_function_is_a_500(self, api, cloud):
        functions = cloud.client("lambda")
        functions.put_function_concurrency(FunctionName="rest", ReservedConcurrentExecutions=0)
        response, body = api("GET", "/")
        functions.delete_function_concurrency(FunctionName="rest")
        functions.close()
        assert (response.status, json.loads(body)) == (500, {"message": "Internal server error"})
        assert response.headers["Access-Control-Allow-Origin"] == "https://page.example"


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/", "/", {}),
        ("/a", "/a", {}),
        ("/x", "/{id}", {"id": "x"}),
        ("/a/b/c", "/a/{proxy+}", {"proxy": "b/c"}),
        ("/a/b", "/a/{id}", {"id": "b"}),
        ("/a.b", "/{id}", {"id": "a.b"}),
        ("/b/c", None, {}),
    ],
)
def test_the_most_literal_route_wins(path, resource, parameters):
    resources = {name: name for name in ("/", "/{id}", "/a", "/a/{proxy+}", "/a/{id}")}
    assert find_resource(resources, path) == ((resource, parameters) if resource else None)


def test_an_emulated_function_may_take_longer(api, monkeypatch):
    monkeypatch.setattr(rest_api, "time_factor", {"x86_64": 0}.__getitem__)
    response, body = api("GET", "/")
    assert (response.status, json.loads(body)) == (504, {"message": "Endpoint request timed out"})
