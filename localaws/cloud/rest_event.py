"""API Gateway's side of a Lambda proxy integration: HTTP request to event, result to HTTP response.

Source: API Gateway developer guide, "Lambda proxy integrations" (payload format 1.0), and "Content type
conversions in API Gateway".
"""

import base64
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request, Response

MAX_PAYLOAD_BYTES = 10 * 1024 * 1024
"""Of a request to API Gateway."""
MAX_EVENT_BYTES = 6_291_456
"""Of a synchronous invocation of Lambda, base64 and headers included."""


@dataclass(frozen=True)
class Route:
    """The deployed route that a request matched."""

    api_id: str
    stage: str
    resource: str
    """With its parameters in braces, `/batches/{id}`."""
    path: str
    parameters: Mapping[str, str]
    account_id: str
    binary_types: Sequence[str]


def to_event(request: Request, route: Route) -> dict[str, Any]:
    """The event that the function gets."""
    body, is_base64 = _body(request, route.binary_types)
    query, headers = request.args, request.headers
    return {
        "resource": route.resource,
        "path": route.path,
        "httpMethod": request.method,
        "headers": dict(headers.items()),
        "multiValueHeaders": {name: headers.getlist(name) for name in headers.keys()},  # noqa: SIM118
        "queryStringParameters": {name: query.getlist(name)[-1] for name in query} or None,
        "multiValueQueryStringParameters": {name: query.getlist(name) for name in query} or None,
        "pathParameters": dict(route.parameters) or None,
        "stageVariables": None,
        "requestContext": _context(request, route),
        "body": body,
        "isBase64Encoded": is_base64,
    }


def to_response(payload: bytes, accept: str, binary_types: Sequence[str]) -> Response:
    """What the function returned, as HTTP; a 502 if it is not in the proxy format."""
    try:
        answer = json.loads(payload)
        headers = {**answer.get("headers", {}), **answer.get("multiValueHeaders", {})}
        body: str | bytes = answer.get("body") or ""
        # API Gateway decodes only for a client whose first accepted type is a binary one
        if answer.get("isBase64Encoded") and _is_binary(accept.split(",")[0], binary_types):
            body = base64.b64decode(body)
        response = Response(body, status=int(answer["statusCode"]), content_type="application/json")
        for name, value in headers.items():
            response.headers.setlist(name, [str(item) for item in (value if isinstance(value, list) else [value])])
    except (ValueError, KeyError, TypeError, AttributeError):
        return error(502, "Internal server error")
    return response


class GatewayError(Response):
    """A response of API Gateway itself, and not of a function."""


def error(status: int, message: str) -> Response:
    """A response of API Gateway itself."""
    return GatewayError(json.dumps({"message": message}), status=status, content_type="application/json")


def _body(request: Request, binary_types: Sequence[str]) -> tuple[str | None, bool]:
    data = request.get_data()
    if not data:
        return None, False
    if _is_binary(request.headers.get("Content-Type", "application/json"), binary_types):
        return base64.b64encode(data).decode(), True
    return data.decode("utf-8", errors="replace"), False


def _is_binary(content_type: str, binary_types: Sequence[str]) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    kind = media_type.partition("/")[0]
    return any(binary in (media_type, f"{kind}/*", "*/*") for binary in binary_types)


def _context(request: Request, route: Route) -> dict[str, Any]:
    now = time.time()
    return {
        "accountId": route.account_id,
        "apiId": route.api_id,
        "domainName": request.host,
        "httpMethod": request.method,
        "identity": {"sourceIp": request.remote_addr, "userAgent": request.headers.get("User-Agent")},
        "path": f"/{route.stage}{route.path}",
        "protocol": request.environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
        "requestId": str(uuid.uuid4()),
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "requestTimeEpoch": int(now * 1000),
        "resourceId": route.resource.strip("/").replace("/", "-") or "root",
        "resourcePath": route.resource,
        "stage": route.stage,
    }
