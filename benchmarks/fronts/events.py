"""One request, `POST /predict/image` with a picture and the headers of a browser, as each front hands it over."""

import base64
from pathlib import Path
from typing import Any

Event = dict[str, Any]
PICTURE = Path(__file__).parents[2] / "tests" / "data" / "seven.png"
PATH, QUERY = "/predict/image", {"top_k": "1", "model": "digits"}
DOMAIN = "a1b2c3.execute-api.eu-west-1.amazonaws.com"
HEADERS = {
    "accept": "application/json, text/plain, */*",
    "accept-encoding": "gzip, deflate, br, zstd",
    "accept-language": "en-GB,en;q=0.9,de;q=0.8",
    "content-type": "image/png",
    "host": DOMAIN,
    "origin": "https://example.org",
    "referer": "https://example.org/",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "x-amzn-trace-id": "Root=1-67d0a1b2-0123456789abcdef01234567",
    "x-forwarded-for": "192.0.2.44",
    "x-forwarded-port": "443",
    "x-forwarded-proto": "https",
    **{f"sec-fetch-{name}": "cross-site" for name in ("dest", "mode", "site")},
}


def _body() -> Event:
    return {"body": base64.b64encode(PICTURE.read_bytes()).decode(), "isBase64Encoded": True}


def _format_1(route: str, stage: str, path: str) -> Event:
    return {
        "resource": route,
        "path": PATH,
        "httpMethod": "POST",
        "headers": HEADERS,
        "multiValueHeaders": {name: [value] for name, value in HEADERS.items()},
        "queryStringParameters": QUERY,
        "multiValueQueryStringParameters": {name: [value] for name, value in QUERY.items()},
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": route,
            "httpMethod": "POST",
            "path": path,
            "stage": stage,
            "requestId": "front-1",
            "identity": {"sourceIp": "192.0.2.44", "userAgent": HEADERS["user-agent"]},
        },
        **_body(),
    }


def _format_2(domain: str) -> Event:
    http = {"method": "POST", "path": PATH, "sourceIp": "192.0.2.44", "userAgent": HEADERS["user-agent"]}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": PATH,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in QUERY.items()),
        "headers": HEADERS,
        "queryStringParameters": QUERY,
        "requestContext": {"http": http, "domainName": domain, "stage": "$default", "requestId": "front-1"},
        **_body(),
    }


def _alb() -> Event:
    about = {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/p/0"}}
    given = {"httpMethod": "POST", "path": PATH, "queryStringParameters": QUERY, "headers": HEADERS}
    return {"requestContext": about, **given, **_body()}


EVENTS = {
    "REST API": _format_1(PATH, "api", f"/api{PATH}"),
    "HTTP API, format 1.0": {"version": "1.0", **_format_1("$default", "$default", PATH)},
    "HTTP API, format 2.0": _format_2(DOMAIN),
    "function URL": _format_2("a1b2c3.lambda-url.eu-west-1.on.aws"),
    "load balancer": _alb(),
}
