"""HTTP APIs and function URLs made by a stack: the event, the response, and what never reaches the function."""

import base64
import http.client
import json
from contextlib import closing

import pytest

from layers.pythons import own
from localaws.cloud import fronts
from localaws.cloud.throttle import Throttle
from tests.support.toys import zip_of

ROLE = "arn:aws:iam::123456789012:role/fronts"
PIXELS = bytes(range(256))
ORIGIN, OTHER = "https://pictures.example", "https://stranger.example"
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/execute-api/aws4_request"}
ECHO = """
import base64, json

def handler(event, context):
    path = event["rawPath"]
    if path == "/fail":
        raise ValueError("secret")
    if path == "/malformed":
        return {"statusCode": "none"}
    if path == "/plain":
        return {"hello": "world"}
    if path == "/picture":
        return {"statusCode": 200, "body": base64.b64encode(bytes(range(256))).decode(), "isBase64Encoded": True,
                "headers": {"Content-Type": "image/png", "Access-Control-Allow-Origin": "*"}, "cookies": ["a=1", "b=2"]}
    return {"statusCode": 201, "body": json.dumps(event), "headers": {"Content-Type": "application/json"}}
"""
CORS = {"AllowOrigins": [ORIGIN], "AllowMethods": ["GET", "POST"], "AllowHeaders": ["content-type"], "MaxAge": 600}
ROUTES = ("GET /", "POST /", "GET /batches/{id}", "GET /picture", "GET /plain", "GET /fail", "GET /malformed")


def http_api(arn, burst=1000):
    """A template with a route that is signed and others that are not."""
    api, integration = {"Ref": "Api"}, {"Fn::Sub": "integrations/${Integration}"}
    keys = {**dict.fromkeys(ROUTES, "NONE"), "POST /batches": "AWS_IAM"}
    made = {
        "Api": ("Api", {"Name": "echo", "ProtocolType": "HTTP", "CorsConfiguration": CORS}),
        "Integration": ("Integration", {"ApiId": api, "IntegrationType": "AWS_PROXY", "IntegrationUri": arn,
                                        "PayloadFormatVersion": "2.0", "TimeoutInMillis": 30000}),
        "Stage": ("Stage", {"ApiId": api, "StageName": "$default", "AutoDeploy": True, "DefaultRouteSettings":
                            {"ThrottlingRateLimit": 1000 if burst > 1 else 0.001, "ThrottlingBurstLimit": burst}}),
        **{f"Route{n}": ("Route", {"ApiId": api, "RouteKey": key, "AuthorizationType": kind, "Target": integration})
           for n, (key, kind) in enumerate(keys.items())},
    }  # fmt: skip
    found = {name: {"Type": f"AWS::ApiGatewayV2::{kind}", "Properties": one} for name, (kind, one) in made.items()}
    source = {"Fn::Sub": "arn:aws:execute-api:us-east-1:123456789012:${Api}/*"}
    permission = {"FunctionName": arn, "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
                  "SourceArn": source}  # fmt: skip
    found["Permission"] = {"Type": "AWS::Lambda::Permission", "Properties": permission}
    address = {"Fn::Sub": "https://${Api}.execute-api.us-east-1.amazonaws.com/"}
    return {"Resources": found, "Outputs": {"Address": {"Value": address}}}


def function_url(arn, open_to_all=True, both=True):
    """A template with a URL, and the two permissions that an open one needs, or one of them."""
    properties = {"TargetFunctionArn": arn, "AuthType": "NONE" if open_to_all else "AWS_IAM", "Cors": CORS}
    found = {"Url": {"Type": "AWS::Lambda::Url", "Properties": properties}}
    own_permission = {"FunctionName": arn, "Principal": "*"}
    by_url = {**own_permission, "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}
    via_url = {**own_permission, "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True}
    for name, one in (("ByUrl", by_url), ("ViaUrl", via_url)):
        if open_to_all and (both or name == "ByUrl"):
            found[name] = {"Type": "AWS::Lambda::Permission", "Properties": one}
    return {"Resources": found, "Outputs": {"Address": {"Value": {"Fn::GetAtt": ["Url", "FunctionUrl"]}}}}


@pytest.fixture(scope="module")
def function(cloud):
    """`function(name)` makes one that echoes its event, and gives its ARN."""
    with closing(cloud.client("lambda")) as client, closing(cloud.client("iam")) as iam:
        iam.create_role(RoleName="fronts", AssumeRolePolicyDocument="{}")

        def make(name):
            return client.create_function(
                FunctionName=name, Runtime=own().runtime, Role=ROLE, Handler="toy.handler", MemorySize=512,
                Code={"ZipFile": zip_of({"toy.py": ECHO})}, Timeout=20,
            )["FunctionArn"]  # fmt: skip

        yield make


@pytest.fixture(scope="module")
def stack(cloud):
    """`stack(name, template)` deploys it with a change set, and gives `send(method, path, ...)`."""
    with closing(cloud.client("cloudformation")) as client:

        def deploy(name, template):
            made = client.create_change_set(StackName=name, ChangeSetName=f"deploy-{name}", ChangeSetType="CREATE",
                                            TemplateBody=json.dumps(template))  # fmt: skip
            client.execute_change_set(ChangeSetName=made["Id"])
            (output,) = client.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
            url = cloud.front_url(output["OutputValue"])
            port, _, prefix = url.removeprefix("http://127.0.0.1:").partition("/")

            def send(method, path, body=None, headers=None):
                with closing(http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)) as connection:
                    connection.request(method, f"/{prefix.rstrip('/')}{path}", body, headers or {})
                    response = connection.getresponse()
                    return response, response.read()

            return send

        yield deploy


@pytest.fixture(scope="module")
def api(function, stack):
    return stack("api", http_api(function("api")))


@pytest.fixture(scope="module")
def url(function, stack):
    return stack("url", function_url(function("url")))


@pytest.fixture(params=["http", "url"])
def front(request, api, url):
    return {"http": api, "url": url}[request.param]


def event_of(front, *request):
    response, body = front(*request)
    assert response.status == 201, body
    return json.loads(body)


class TestEvent:
    def test_of_an_http_api(self, api):
        event = event_of(api, "GET", "/batches/a%20b?x=1&x=2&empty=", None, {"X-Custom": "v", "Cookie": "a=1; b=2"})
        assert (event["version"], event["routeKey"]) == ("2.0", "GET /batches/{id}")
        assert event["rawPath"] == "/batches/a b", "decoded, as an HTTP API does"
        assert (event["rawQueryString"], event["queryStringParameters"]) == (
            "x=1&x=2&empty=",
            {"x": "1,2", "empty": ""},
        )
        assert event["pathParameters"] == {"id": "a b"} and event["cookies"] == ["a=1", "b=2"]
        assert event["headers"]["x-custom"] == "v" and "cookie" not in event["headers"]
        assert ".execute-api." in event["requestContext"]["domainName"]
        assert event["requestContext"]["http"]["method"] == "GET" and "body" not in event

    def test_of_a_function_url(self, url):
        event = event_of(url, "GET", "/batches/a%20b")
        assert (event["routeKey"], event["rawPath"]) == ("$default", "/batches/a%20b")
        assert ".lambda-url." in event["requestContext"]["domainName"] and "pathParameters" not in event

    @pytest.mark.parametrize(
        ("content_type", "is_text"),
        [
            ("application/json", True),
            ("text/plain; charset=utf-8", True),
            ("application/xml", True),
            ("image/png", False),
            ("application/x-www-form-urlencoded", False),
            ("multipart/form-data; boundary=x", False),
            (None, False),
        ],
    )
    def test_what_is_no_text_comes_in_base64(self, front, content_type, is_text):
        headers = {"Content-Type": content_type} if content_type else {}
        event = event_of(front, "POST", "/", b"{}", headers)
        assert (event["body"], event["isBase64Encoded"]) == (("{}", False) if is_text else ("e30=", True))


class TestResponse:
    def test_bytes_and_cookies(self, front):
        response, body = front("GET", "/picture")
        assert (response.status, body, response.headers["Content-Type"]) == (200, PIXELS, "image/png")
        assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]

    def test_an_object_without_a_status_is_a_body(self, front):
        response, body = front("GET", "/plain")
        assert (response.status, json.loads(body)) == (200, {"hello": "world"})

    @pytest.mark.parametrize("path", ["/fail", "/malformed"])
    def test_what_the_function_fails_at(self, api, url, path):
        assert [front("GET", path)[0].status for front in (api, url)] == [500, 502]
        assert b"secret" not in api("GET", path)[1] + url("GET", path)[1]

    def test_more_than_lambda_takes(self, front):
        body = base64.b64encode(bytes(5 * 2**20))  # as text it is more than 6 MB
        assert front("POST", "/", body, {"Content-Type": "text/plain"})[0].status == 413


class TestCors:
    def test_a_preflight_is_answered_without_the_function(self, front):
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        response, body = front("OPTIONS", "/fail", None, asked)
        assert (response.status, body) == (204, b"")
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert response.headers["Access-Control-Allow-Methods"] == "GET,POST"
        assert "Access-Control-Allow-Origin" not in front("OPTIONS", "/", None, {**asked, "Origin": OTHER})[0].headers

    def test_errors_of_the_front_have_the_headers_too(self, front):
        assert front("GET", "/fail", None, {"Origin": ORIGIN})[0].headers["Access-Control-Allow-Origin"] == ORIGIN

    def test_an_http_api_replaces_the_functions_and_a_url_adds_to_them(self, api, url):
        found = [front("GET", "/picture", None, {"Origin": ORIGIN})[0].headers for front in (api, url)]
        assert [headers.get_all("Access-Control-Allow-Origin") for headers in found] == [[ORIGIN], ["*", ORIGIN]]


class TestWhoMayCall:
    def test_a_signed_route(self, api):
        assert api("POST", "/batches", b"{}")[0].status == 403
        assert api("POST", "/batches/", b"{}")[0].status == 403
        context = event_of(api, "POST", "/batches", b"{}", SIGNED)["requestContext"]
        assert context["authorizer"]["iam"]["userArn"].startswith("arn:aws:iam::")
        assert "authorizer" not in event_of(api, "POST", "/", b"{}", SIGNED)["requestContext"]

    def test_what_has_no_route(self, api):
        for method, path in (("DELETE", "/"), ("GET", "/nothing")):
            response, body = api(method, path)
            assert (response.status, json.loads(body)) == (404, {"message": "Not Found"})

    def test_a_signed_url(self, function, stack):
        send = stack("signed", function_url(function("signed"), open_to_all=False))
        assert send("GET", "/")[0].status == 403
        assert "authorizer" in event_of(send, "GET", "/", None, SIGNED)["requestContext"]

    def test_an_open_url_needs_both_permissions(self, function, stack):
        send = stack("half", function_url(function("half"), both=False))
        assert send("GET", "/")[0].status == 403

    def test_an_http_api_needs_its_permission(self, function, stack):
        template = http_api(function("stranger"))
        del template["Resources"]["Permission"]
        assert stack("stranger", template)("GET", "/")[0].status == 500

    def test_a_url_that_is_not_there(self, cloud, url):
        port = int(cloud.url.rpartition(":")[2])
        for path, status in (("/functionurls/none/", 403), ("/httpapis/none/", 404)):
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
                connection.request("GET", path)
                assert connection.getresponse().status == status


class TestThrottle:
    def test_what_is_more_is_429(self, function, stack):
        send = stack("throttled", http_api(function("throttled"), burst=1))
        assert [send("GET", "/")[0].status for _ in range(2)] == [201, 429]

    def test_a_bucket_fills_at_its_rate_up_to_its_burst(self):
        now = [0.0]
        throttle = Throttle(lambda: now[0])
        assert [throttle.takes("a", 2, 3) for _ in range(4)] == [True, True, True, False]
        now[0] = 0.5
        assert [throttle.takes("a", 2, 3) for _ in range(2)] == [True, False]
        now[0] = 100
        assert [throttle.takes("a", 2, 3) for _ in range(4)] == [True, True, True, False]
        assert throttle.takes("b", 2, 3)


def test_a_change_keeps_the_address_and_a_deleted_stack_leaves_nothing(cloud, function, stack):
    send = stack("changed", template := http_api(function("changed")))
    template["Resources"]["Stage"]["Properties"]["DefaultRouteSettings"]["ThrottlingBurstLimit"] = 0
    template["Resources"]["Route0"]["Properties"]["AuthorizationType"] = "AWS_IAM"
    with closing(cloud.client("cloudformation")) as client:
        client.update_stack(StackName="changed", TemplateBody=json.dumps(template))
        assert [send("GET", "/")[0].status, send("GET", "/plain")[0].status] == [403, 429]
        client.delete_stack(StackName="changed")
    assert send("GET", "/plain")[0].status == 404


def test_an_address_on_aws_and_here():
    assert fronts.Fronts.url("http://x", "https://a1.execute-api.eu-west-1.amazonaws.com/") == "http://x/httpapis/a1/"
    assert fronts.Fronts.url("http://x", "https://b2.lambda-url.eu-west-1.on.aws/") == "http://x/functionurls/b2/"
