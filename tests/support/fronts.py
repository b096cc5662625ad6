"""HTTP requests as each front hands them to the function, and its answers as each front reads them.

Written after the fronts' documentation, and apart from `chalicelib.api.fronts`, which it checks. That a REST API, a
function URL and a load balancer hand paths over as they were sent, and an HTTP API decodes them, was measured by
others: pull request 8 of hotsock/voker.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote

import app

Event = dict[str, Any]
TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
"""Bodies of these types are text with all but a REST API; all others, and those with a coding, come in base64."""
STAGE = "api"


class Sent(NamedTuple):
    """A request as a client sends it; path and query are percent-encoded."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def type(self) -> str:
        return next((value for name, value in self.headers if name.lower() == "content-type"), "")


class Received(NamedTuple):
    """A response as a client sees it: status, headers in lower case with all their values, body."""

    status: int
    headers: dict[str, list[str]]
    body: bytes


class Context:
    """Of Lambda."""

    aws_request_id = "5d0c1ff5-invocation"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:slimception"


def _route(path: str) -> tuple[str, dict[str, str]]:
    """The route that a gateway finds, with its parameters as they were sent; `{proxy+}` for none."""
    parts = path.split("/")
    for route in sorted(app.app.routes):
        names = route.split("/")
        pairs = list(zip(names, parts, strict=len(names) == len(parts)))
        if len(names) == len(parts) and all(name == unquote(part) or name.startswith("{") for name, part in pairs):
            return route, {name[1:-1]: part for name, part in pairs if name.startswith("{")}
    return "/{proxy+}", {"proxy": path[1:]}


def _body(sent: Sent, is_text: bool) -> Event:
    if sent.body is None:
        return {"body": None, "isBase64Encoded": False}
    text = sent.body.decode(errors="replace") if is_text else base64.b64encode(sent.body).decode()
    return {"body": text, "isBase64Encoded": not is_text}


def _is_text(sent: Sent) -> bool:
    is_encoded = any(name.lower() == "content-encoding" for name, _ in sent.headers)
    return sent.type().startswith(TEXT_TYPES) and not is_encoded


def _several(sent: Sent) -> dict[str, list[str]]:
    several: dict[str, list[str]] = {}
    for name, value in (("Host", "example.org"), ("User-Agent", "curl/8"), *sent.headers):
        several.setdefault(name, []).append(value)
    return several


def _single(sent: Sent) -> dict[str, str]:
    return {name: values[-1] for name, values in _several(sent).items()}


def _lower(headers: Mapping[str, Any]) -> Event:
    return {name.lower(): value for name, value in headers.items()}


def _identity() -> Event:
    nobody = dict.fromkeys(("accessKey", "accountId", "apiKey", "apiKeyId", "caller", "user", "userArn"))
    return {**nobody, "sourceIp": "192.0.2.1", "userAgent": "curl/8"}


def _format_1(sent: Sent, route: str, parameters: Event, path: str, full_path: str, binary: bool) -> Event:
    query = parse_qs(sent.query, keep_blank_values=True)
    return {
        "resource": route,
        "path": path,
        "httpMethod": sent.method,
        "headers": _single(sent),
        "multiValueHeaders": _several(sent),
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3",
            "domainName": "a1b2c3.execute-api.eu-west-1.amazonaws.com",
            "httpMethod": sent.method,
            "identity": _identity(),
            "path": full_path,
            "protocol": "HTTP/1.1",
            "requestId": "front-1",
            "requestTimeEpoch": 1774000000000,
            "resourcePath": route,
            "stage": STAGE,
        },
        **_body(sent, not binary),
    }


def rest(sent: Sent) -> Event:
    """A REST API: it has found the route, and gives every body in base64, since every type is a binary one."""
    route, parameters = _route(sent.path)
    return _format_1(sent, route, parameters, sent.path, f"/{STAGE}{sent.path}", binary=True)


def _http_1(sent: Sent, route: str, parameters: Event, stage: str) -> Event:
    path = unquote(f"/{stage}{sent.path}" if stage else sent.path)
    decoded = {name: unquote(value) for name, value in parameters.items()}
    event = _format_1(sent, route, decoded, path, path, not _is_text(sent))
    about = {**event["requestContext"], "stage": stage or "$default", "authorizer": {"claims": None, "scopes": None}}
    return {"version": "1.0", **event, "requestContext": about}


def http_1_routes(sent: Sent) -> Event:
    """An HTTP API, format 1.0, each route of the app its own; no other reaches the function."""
    route, parameters = _route(sent.path)
    return _http_1(sent, route, parameters, "")


def http_1_default(sent: Sent) -> Event:
    """The same, with the route `$default`."""
    return _http_1(sent, "$default", {}, "")


def http_1_proxy(sent: Sent) -> Event:
    """The same, with `ANY /{proxy+}`, which does not take the root, and a stage with a name."""
    return _http_1(sent, "/{proxy+}" if sent.path != "/" else "/", {"proxy": sent.path[1:]}, "v7")


def _format_2(sent: Sent, key: str, parameters: Event, path: str, stage: str, domain: str) -> Event:
    several = _lower(_several(sent))
    cookies = several.pop("cookie", None)
    query = dict(parse_qsl(sent.query, keep_blank_values=True))
    event = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": path,
        "rawQueryString": sent.query,
        "headers": {name: ",".join(values) for name, values in several.items()},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3",
            "domainName": domain,
            "http": {
                "method": sent.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "curl/8",
            },
            "requestId": "front-1",
            "routeKey": key,
            "stage": stage,
            "timeEpoch": 1774000000000,
        },
        **_body(sent, _is_text(sent)),
    }
    if event["body"] is None:
        del event["body"]
    optional = {"cookies": cookies, "queryStringParameters": query, "pathParameters": parameters}
    return {**event, **{name: value for name, value in optional.items() if value}}


def _http_2(sent: Sent, key: str, parameters: Event, stage: str = "$default") -> Event:
    decoded = {name: unquote(value) for name, value in parameters.items()}
    path = unquote(sent.path if stage == "$default" else f"/{stage}{sent.path}")
    return _format_2(sent, key, decoded, path, stage, "a1b2c3.execute-api.eu-west-1.amazonaws.com")


def http_2_routes(sent: Sent) -> Event:
    """An HTTP API, format 2.0, each route of the app its own."""
    route, parameters = _route(sent.path)
    return _http_2(sent, f"{sent.method} {route}", parameters)


def http_2_default(sent: Sent) -> Event:
    """The same, with the route `$default`."""
    return _http_2(sent, "$default", {})


def http_2_stage(sent: Sent) -> Event:
    """The same, with a stage that has a name, which is the path's prefix."""
    return _http_2(sent, "$default", {}, STAGE)


def url(sent: Sent) -> Event:
    """A function URL."""
    return _format_2(sent, "$default", {}, sent.path, "$default", "a1b2c3.lambda-url.eu-west-1.on.aws")


def _alb(sent: Sent) -> Event:
    target = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/pictures/0123456789abcdef"
    body = _body(sent, _is_text(sent))
    return {
        "requestContext": {"elb": {"targetGroupArn": target}},
        "httpMethod": sent.method,
        "path": sent.path,
        **body,
        "body": body["body"] or "",
    }


def _as_sent(sent: Sent) -> list[tuple[str, str]]:
    pairs = (part.partition("=") for part in sent.query.split("&") if part)
    return [(name, value) for name, _, value in pairs]


def alb(sent: Sent) -> Event:
    """A load balancer: one value for each header and each parameter of the query, which it does not decode."""
    headers = {"x-forwarded-for": "192.0.2.1", **_lower(_single(sent))}
    return {**_alb(sent), "queryStringParameters": dict(_as_sent(sent)), "headers": headers}


def alb_several(sent: Sent) -> Event:
    """The same with `lambda.multi_value_headers.enabled`."""
    query: dict[str, list[str]] = {}
    for name, value in _as_sent(sent):
        query.setdefault(name, []).append(value)
    headers = {"x-forwarded-for": ["192.0.2.1"], **_lower(_several(sent))}
    return {**_alb(sent), "multiValueQueryStringParameters": query, "multiValueHeaders": headers}


FRONTS: dict[str, Callable[[Sent], Event]] = {
    "REST": rest,
    "HTTP 1.0, routes": http_1_routes,
    "HTTP 1.0, $default": http_1_default,
    "HTTP 1.0, {proxy+}": http_1_proxy,
    "HTTP 2.0, routes": http_2_routes,
    "HTTP 2.0, $default": http_2_default,
    "HTTP 2.0, stage": http_2_stage,
    "URL": url,
    "ALB": alb,
    "ALB, several values": alb_several,
}


def received(event: Event, answer: Event) -> Received:
    """The response as the front of an event sends it on; AssertionError if the answer is not in its form."""
    assert isinstance(answer["statusCode"], int)
    headers: dict[str, list[str]] = {}
    if event.get("multiValueHeaders") is not None and "elb" in event["requestContext"]:
        assert "headers" not in answer
    elif "elb" in event["requestContext"] or event.get("version") == "2.0":
        assert "multiValueHeaders" not in answer
    if "elb" in event["requestContext"]:
        assert answer["statusDescription"].startswith(f"{answer['statusCode']} ")
        assert isinstance(answer["body"], str)
    for name, value in (answer.get("headers") or {}).items():
        headers.setdefault(name.lower(), []).append(value)
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        headers.setdefault(name.lower(), []).extend(values)
    for cookie in answer.get("cookies", []):
        headers.setdefault("set-cookie", []).append(cookie)
    json.dumps(answer)
    body = answer.get("body") or ""
    return Received(
        answer["statusCode"], headers, base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    )
