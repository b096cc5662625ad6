"""Deployed REST APIs over HTTP, at `/restapis/<api id>/<stage>/_user_request_/<path>`."""

import json
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from moto.apigateway.models import apigateway_backends
from moto.awslambda.utils import get_backend
from moto.core.exceptions import JsonRESTError
from werkzeug.wrappers import Request, Response

from localaws.cloud.rest_event import (
    MAX_EVENT_BYTES,
    MAX_PAYLOAD_BYTES,
    GatewayError,
    Route,
    error,
    to_event,
    to_response,
)
from localaws.host.emulation import time_factor

INTEGRATION_LIMIT_S = 29.0
_URL = re.compile(r"/restapis/(?P<api>[^/]+)/(?P<stage>[^/]+)/_user_request_(?P<path>/.*)?")
_FUNCTION_ARN = re.compile(r"/functions/(arn:[^/]+)/invocations")


class RestApis:
    """Answers requests to the APIs in moto's API Gateway, as API Gateway itself would."""

    def __init__(self, account_id: str, region: str) -> None:
        self._account_id, self._region = account_id, region

    @staticmethod
    def url(base: str, api_id: str, stage: str) -> str:
        """Where a stage is served, with a slash at the end."""
        return f"{base}/restapis/{api_id}/{stage}/_user_request_/"

    def serves(self, path: str) -> bool:
        """Whether this is a request to an API, and not to an AWS service."""
        return _URL.fullmatch(path) is not None

    def respond(self, request: Request) -> Response:
        """The response, with the headers that the API's gateway responses add to API Gateway's own errors.

        Of these, DEFAULT_4XX and DEFAULT_5XX are known here, and fixed values alone. Source: API Gateway developer
        guide, "Gateway responses for REST APIs".
        """
        response, match = self.answer(request), _URL.fullmatch(request.path)
        api = match and apigateway_backends[self._account_id][self._region].apis.get(match["api"])
        if api and isinstance(response, GatewayError):
            given = api.gateway_responses.get(f"DEFAULT_{response.status_code // 100}XX")
            for name, value in (given.response_parameters or {}).items() if given else ():
                response.headers[name.removeprefix("gatewayresponse.header.")] = value.strip("'")
        return response

    def answer(self, request: Request) -> Response:
        """Find the route, invoke the function, shape the response; a refused request does not reach the function."""
        match = _URL.fullmatch(request.path)
        assert match is not None, request.path
        api = apigateway_backends[self._account_id][self._region].apis.get(match["api"])
        if api is None or match["stage"] not in api.stages:
            return error(403, "Forbidden")
        path = (match["path"] or "/").rstrip("/") or "/"
        found = find_resource({resource.get_path(): resource for resource in list(api.resources.values())}, path)
        method = found and (found[0].resource_methods.get(request.method) or found[0].resource_methods.get("ANY"))
        if not found or not method or not method.method_integration:
            return error(403, "Missing Authentication Token")
        if method.authorization_type == "AWS_IAM" and not is_signed(request):
            return error(403, "Missing Authentication Token")
        if method.method_integration.integration_type.upper() == "MOCK":
            return _mock_response(method.method_integration)
        resource, parameters = found
        route = Route(
            api.id, match["stage"], resource.get_path(), path, parameters, self._account_id, api.binaryMediaTypes
        )
        return self._invoke(request, route, method.method_integration.uri)

    def _invoke(self, request: Request, route: Route, uri: str) -> Response:
        if (request.content_length or 0) > MAX_PAYLOAD_BYTES:
            return error(413, "Request Too Long")
        event = json.dumps(to_event(request, route))
        arn = _FUNCTION_ARN.search(uri)
        if arn is None:
            return error(500, "Internal server error")
        if len(event) > MAX_EVENT_BYTES:
            return error(413, "Request Too Long")
        began, headers = time.monotonic(), dict[str, str]()
        try:
            function = get_backend(self._account_id, self._region).get_function(arn[1])
            payload = function.invoke(event, {"x-amz-invocation-type": "RequestResponse"}, headers)
        except JsonRESTError:
            return error(500, "Internal server error")
        limit_s = INTEGRATION_LIMIT_S * time_factor(function.architectures[0])
        if time.monotonic() - began > limit_s:  # known when the function ends, and not at 29 s
            return error(504, "Endpoint request timed out")
        if "x-amz-function-error" in headers:
            return error(502, "Internal server error")
        return to_response(payload, request.headers.get("Accept", ""), route.binary_types)


def is_signed(request: Request) -> bool:
    """Whether the request has a signature of version 4; whose it is and whether it is right is not examined.

    Source: IAM user guide, "Elements of an AWS API request signature".
    """
    return request.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 Credential=")


def find_resource(resources: Mapping[str, Any], path: str) -> tuple[Any, dict[str, str]] | None:
    """The resource for a path and its parameters; the more literal one wins, `{proxy+}` comes last."""
    for template in sorted(resources, key=lambda text: (text.count("+}"), text.count("{"), text)):
        match = re.fullmatch(_pattern(template.split("/")), path)
        if match:
            return resources[template], match.groupdict()
    return None


def _pattern(segments: Iterable[str]) -> str:
    def one(segment: str) -> str:
        if segment.startswith("{"):
            return f"(?P<{segment.strip('{+}')}>{'.+' if '+' in segment else '[^/]+'})"
        return re.escape(segment)

    return "/".join(map(one, segments))


def _mock_response(integration: Any) -> Response:
    """A mock integration's fixed headers: Chalice's answer to a CORS preflight."""
    responses = list((integration.integration_responses or {}).values())
    response = Response("{}", status=int(responses[0].status_code) if responses else 200)
    response.content_type = "application/json"
    for name, value in ((responses[0].response_parameters or {}) if responses else {}).items():
        response.headers[name.rpartition(".")[2]] = value.strip("'")
    return response
