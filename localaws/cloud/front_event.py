"""An HTTP API's and a function URL's side of an invocation: HTTP request to event, result to HTTP response.

Source: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs" (payload format 2.0); Lambda
developer guide, "Invoking Lambda function URLs" (request and response payloads). Two facts have other sources, who
looked at AWS: an HTTP API decodes `rawPath` and a function URL does not (middleapi/standard-server, pull request 93);
text are the media types below and nothing else (ministackorg/ministack, pull request 766).
"""

import base64
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from werkzeug.wrappers import Request, Response

_TEXTS = ("application/json", "application/xml", "application/javascript")


@dataclass(frozen=True)
class Reached:
    """What a request reached."""

    front_id: str
    domain: str
    account_id: str
    path: str
    """As it was sent, percent-encoded."""
    route_key: str = "$default"
    parameters: Mapping[str, str] = field(default_factory=dict)
    decodes: bool = False
    """Whether the front decodes the path: an HTTP API does."""
    signed: bool = False


def to_event(request: Request, reached: Reached) -> dict[str, Any]:
    """The event that the function gets, in format 2.0."""
    body, is_base64 = _body(request)
    headers = _headers(request, reached)
    query, cookies = request.args, headers.pop("cookie", "")
    event = {
        "version": "2.0",
        "routeKey": reached.route_key,
        "rawPath": unquote(reached.path) if reached.decodes else reached.path,
        "rawQueryString": request.query_string.decode("latin-1"),
        "headers": headers,
        "requestContext": _context(request, reached),
        "isBase64Encoded": is_base64,
    }
    parts: dict[str, Any] = {
        "cookies": [one.strip() for one in cookies.split(";") if one.strip()],
        "queryStringParameters": {name: ",".join(query.getlist(name)) for name in query},
        "pathParameters": dict(reached.parameters),
        "body": body,
    }
    return event | {name: part for name, part in parts.items() if part}


def to_response(payload: bytes) -> Response | None:
    """What the function returned, as HTTP; None if it is in no form that a front takes.

    An object without a status, or anything else in JSON, is a body.
    """
    try:
        answer = json.loads(payload)
        if not isinstance(answer, dict) or "statusCode" not in answer:
            return Response(json.dumps(answer), content_type="application/json")
        text = answer.get("body") or ""
        body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
        response = Response(body, status=int(answer["statusCode"]), content_type="application/json")
        for name, value in (answer.get("headers") or {}).items():
            response.headers[name] = str(value)
        for cookie in answer.get("cookies") or ():
            response.headers.add("Set-Cookie", cookie)
    except (ValueError, TypeError, AttributeError):
        return None
    return response


def _headers(request: Request, reached: Reached) -> dict[str, str]:
    sent = {name.lower(): ",".join(request.headers.getlist(name)) for name in request.headers.keys()}  # noqa: SIM118
    caller = str(request.remote_addr)
    return {**sent, "host": reached.domain, "x-forwarded-for": caller, "x-forwarded-proto": "https"}


def _body(request: Request) -> tuple[str | None, bool]:
    data = request.get_data()
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not data:
        return None, False
    if kind.startswith("text/") or kind in _TEXTS:
        return data.decode("utf-8", errors="replace"), False
    return base64.b64encode(data).decode(), True


def _context(request: Request, reached: Reached) -> dict[str, Any]:
    now = time.time()
    user = f"arn:aws:iam::{reached.account_id}:user/localaws"
    iam = {"accessKey": "AKIA", "accountId": reached.account_id, "callerId": "AIDA", "userArn": user, "userId": "AIDA"}
    return {
        "accountId": reached.account_id,
        "apiId": reached.front_id,
        "domainName": reached.domain,
        "domainPrefix": reached.domain.partition(".")[0],
        "http": {
            "method": request.method,
            "path": reached.path,
            "protocol": request.environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
            "sourceIp": request.remote_addr,
            "userAgent": request.headers.get("User-Agent", ""),
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": reached.route_key,
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
        **({"authorizer": {"iam": iam}} if reached.signed else {}),
    }
