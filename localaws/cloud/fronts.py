"""Deployed HTTP APIs and function URLs over HTTP, at `/httpapis/<api id>/` and `/functionurls/<url id>/`.

On AWS each has a host of its name, whose root is the app's. The statuses of what fails are AWS's as its users report
them; its documents name few. Sources: API Gateway developer guide, "Quotas for configuring and running an HTTP API";
Lambda developer guide, "Lambda quotas" and "Control access to Lambda function URLs".
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from moto.apigatewayv2.models import apigatewayv2_backends
from moto.awslambda.utils import get_backend
from moto.core.exceptions import JsonRESTError
from werkzeug.wrappers import Request, Response

from localaws.cloud import front_cors
from localaws.cloud.front_event import Reached, to_event, to_response
from localaws.cloud.rest_api import find_resource, is_signed
from localaws.cloud.rest_event import MAX_EVENT_BYTES, MAX_PAYLOAD_BYTES
from localaws.cloud.throttle import Throttle
from localaws.host.emulation import time_factor
from localaws.shims.fronts import lowered

_URL = re.compile(r"/(?P<kind>httpapis|functionurls)/(?P<id>[^/]+)(?P<path>/.*)?")
_ADDRESS = re.compile(r"https://(?P<id>[^.]+)\.(?P<kind>execute-api|lambda-url)\..*")
_KINDS = {"execute-api": "httpapis", "lambda-url": "functionurls"}
_ARN = re.compile(r"arn:[^/]+:function:[^/:]+")


class Front(NamedTuple):
    """One of the two kinds, and how it answers what does not come from the function."""

    max_request_bytes: int
    member: str
    """Of the JSON that holds the message."""
    failed: tuple[int, str]
    """The function ended with an error, or returned what is no response."""
    busy: tuple[int, str]
    """Lambda took no invocation."""


HTTP_API = Front(MAX_PAYLOAD_BYTES, "message", (500, "Internal Server Error"), (503, "Service Unavailable"))
FUNCTION_URL = Front(MAX_EVENT_BYTES, "Message", (502, "Internal Server Error"), (429, "Rate Exceeded."))


class Fronts:
    """Answers requests as the HTTP APIs and function URLs in moto's account would."""

    def __init__(self, account_id: str, region: str) -> None:
        self._account_id, self._region, self._throttle = account_id, region, Throttle()

    @staticmethod
    def url(base: str, address: str) -> str:
        """Where what AWS would serve at `address` is served here, with a slash at the end."""
        match = _ADDRESS.fullmatch(address)
        assert match is not None, address
        return f"{base}/{_KINDS[match['kind']]}/{match['id']}/"

    def serves(self, path: str) -> bool:
        """Whether this is a request to a front, and not to an AWS service."""
        return _URL.fullmatch(path) is not None

    def respond(self, request: Request) -> Response:
        """The response to a request to a front."""
        match = _URL.fullmatch(urlsplit(request.environ.get("REQUEST_URI", request.path)).path)
        assert match is not None, request.path
        path = match["path"] or "/"
        if match["kind"] == "httpapis":
            return self._http_api(request, match["id"], path)
        return self._function_url(request, match["id"], path)

    def _http_api(self, request: Request, api_id: str, path: str) -> Response:
        api = apigatewayv2_backends[self._account_id][self._region].apis.get(api_id)
        if api is None or "$default" not in api.stages:
            return _refusal(HTTP_API, 404, "Not Found")
        cors = api.cors_configuration or {}
        answered = front_cors.preflight(request, cors)
        if answered is None:
            routed = self._route(request, api, path)
            answered = front_cors.taken_away(routed) if cors else routed
        return front_cors.allow(request, cors, answered)

    def _route(self, request: Request, api: Any, path: str) -> Response:
        paths = {route.route_key.partition(" ")[2]: route for route in _routes(api, request.method)}
        found = find_resource(paths, unquote(path).rstrip("/") or "/")
        if found is None:
            return _refusal(HTTP_API, 404, "Not Found")
        route, parameters = found
        signed = is_signed(request)
        if route.authorization_type == "AWS_IAM" and not signed:
            return _refusal(HTTP_API, 403, "Forbidden")
        limits = api.stages["$default"].default_route_settings
        rate, burst = limits.get("throttlingRateLimit"), limits.get("throttlingBurstLimit")
        if rate is not None and not self._throttle.takes(api.api_id, float(rate), float(burst)):
            return _refusal(HTTP_API, 429, "Too Many Requests")
        integration = api.integrations[route.target.rpartition("/")[2]]
        arn = _ARN.search(integration.integration_uri)
        function = arn and get_backend(self._account_id, self._region).get_function(arn[0])
        if not function or not _may_call(function, api.api_id):
            return _refusal(HTTP_API, *HTTP_API.failed)
        domain, iam = urlsplit(api.api_endpoint).netloc, signed and route.authorization_type == "AWS_IAM"
        reached = Reached(api.api_id, domain, self._account_id, path, route.route_key, parameters, True, iam)
        return self._invoke(HTTP_API, request, reached, function, integration.timeout_in_millis / 1000)

    def _function_url(self, request: Request, url_id: str, path: str) -> Response:
        function = next((one for one in self._functions() if f"//{url_id}." in one.url_config.url), None)
        if function is None:
            return _refusal(FUNCTION_URL, 403, "Forbidden")
        config = function.url_config.config
        cors = lowered(config.get("Cors")) or {}
        answered = front_cors.preflight(request, cors)
        if answered is None:
            signed = is_signed(request)
            allowed = signed if config["AuthType"] == "AWS_IAM" else _is_open(function)
            domain = urlsplit(function.url_config.url).netloc
            reached = Reached(url_id, domain, self._account_id, path, signed=config["AuthType"] == "AWS_IAM")
            answered = (
                self._invoke(FUNCTION_URL, request, reached, function, float(function.timeout))
                if allowed
                else _refusal(FUNCTION_URL, 403, "Forbidden")
            )
        return front_cors.allow(request, cors, answered)

    def _functions(self) -> Iterator[Any]:
        for function in get_backend(self._account_id, self._region).list_functions():
            if function.url_config is not None:
                yield function

    def _invoke(self, front: Front, request: Request, reached: Reached, function: Any, limit_s: float) -> Response:
        if (request.content_length or 0) > front.max_request_bytes:
            return _refusal(front, 413, "Request Entity Too Large")
        event = json.dumps(to_event(request, reached))
        if len(event) > MAX_EVENT_BYTES:
            return _refusal(front, 413, "Request Entity Too Large")
        began, headers = time.monotonic(), dict[str, str]()
        try:
            payload = function.invoke(event, {"x-amz-invocation-type": "RequestResponse"}, headers)
        except JsonRESTError:
            return _refusal(front, *front.busy)
        if time.monotonic() - began > limit_s * time_factor(function.architectures[0]):  # known when it ends
            return _refusal(front, 503 if front is HTTP_API else 504, "Service Unavailable")
        response = None if "x-amz-function-error" in headers else to_response(payload)
        return _refusal(front, *front.failed) if response is None else response


def _routes(api: Any, method: str) -> list[Any]:
    """The routes of this method, and those of any."""
    return [route for route in api.routes.values() if route.route_key.partition(" ")[0] in (method, "ANY")]


def _may_call(function: Any, api_id: str) -> bool:
    """Whether the function's policy lets the API call it."""
    return any(
        one["Action"] == "lambda:InvokeFunction"
        and f":{api_id}/" in json.dumps(one)
        and "apigateway" in json.dumps(one)
        for one in function.policy.statements
    )


def _is_open(function: Any) -> bool:
    """Whether the function's policy has both permissions that an open URL needs since October 2025."""
    found: list[Mapping[str, Any]] = [one for one in function.policy.statements if one["Principal"] == "*"]
    by_url = any(
        one["Action"] == "lambda:InvokeFunctionUrl" and one.get("FunctionUrlAuthType") == "NONE" for one in found
    )
    via_url = any(
        one["Action"] == "lambda:InvokeFunction" and str(one.get("InvokedViaFunctionUrl")).lower() == "true"
        for one in found
    )
    return by_url and via_url


def _refusal(front: Front, status: int, message: str) -> Response:
    """A response of the front itself."""
    return Response(json.dumps({front.member: message}), status=status, content_type="application/json")
