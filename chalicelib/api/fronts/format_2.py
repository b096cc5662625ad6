"""Format 2.0: an HTTP API's events and a function URL's.

An HTTP API decodes the path before the function sees it, a function URL does not. Neither decodes `rawQueryString`.
"""

from typing import Any
from urllib.parse import parse_qs

from chalicelib.api.fronts import events
from chalicelib.api.fronts.events import (
    Event,
    Kinds,
    Response,
    Routes,
    check,
    fields,
    maybe_body,
    maybe_fields,
    maybe_flag,
    maybe_list,
    maybe_text,
    maybe_texts,
    text,
)

EVENT: Kinds = {
    "version": maybe_text,
    "routeKey": maybe_text,
    "rawPath": text,
    "rawQueryString": maybe_text,
    "cookies": maybe_list,
    "headers": maybe_texts,
    "queryStringParameters": maybe_texts,
    "pathParameters": maybe_texts,
    "stageVariables": maybe_texts,
    "body": maybe_body,
    "isBase64Encoded": maybe_flag,
    "requestContext": fields,
}
CONTEXT: Kinds = {
    "http": fields,
    "domainName": maybe_text,
    "stage": maybe_text,
    "requestId": maybe_text,
    "authorizer": maybe_fields,
}
HTTP: Kinds = {"method": text, "path": maybe_text, "sourceIp": maybe_text, "userAgent": maybe_text}
AUTHORIZER: Kinds = {"jwt": maybe_fields, "iam": maybe_fields, "lambda": maybe_fields}


def read(event: Event, routes: Routes) -> Event:
    """The event in format 1.0, with one of the routes; raises InvalidRequest or UnknownRoute."""
    check(event, EVENT)
    about = event["requestContext"]
    check(about, CONTEXT, "requestContext.")
    http, authorizer = about["http"], about.get("authorizer") or {}
    check(http, HTTP, "requestContext.http.")
    check(authorizer, AUTHORIZER, "requestContext.authorizer.")
    as_sent = str if ".lambda-url." in (about.get("domainName") or "") else events.encoded
    path = as_sent(event["rawPath"])
    parameters = {name: as_sent(value) for name, value in (event.get("pathParameters") or {}).items()}
    own = (event.get("routeKey") or "").partition(" ")[2]  # "POST /predict", "ANY /{proxy+}", "$default"
    found = events.given(routes, own, parameters) or events.find(routes, events.within(about.get("stage"), path))
    headers, cookies = dict(event.get("headers") or {}), event.get("cookies")
    if cookies:
        headers["cookie"] = "; ".join(cookies)
    return events.made(
        http["method"],
        path,
        found,
        {
            "version": "1.0",
            "headers": headers,
            "multiValueQueryStringParameters": parse_qs(event.get("rawQueryString") or "", True) or None,
            "stageVariables": event.get("stageVariables"),
            "body": event.get("body"),
            "isBase64Encoded": event.get("isBase64Encoded"),
            "requestContext": {
                "requestId": about.get("requestId"),
                "stage": about.get("stage"),
                "identity": {
                    **_identity(authorizer),
                    "sourceIp": http.get("sourceIp"),
                    "userAgent": http.get("userAgent"),
                },
                "authorizer": _authorizer(authorizer),
            },
        },
    )


def _identity(authorizer: dict[str, Any]) -> dict[str, Any]:
    """Who signed the request, under the names of format 1.0."""
    iam = authorizer.get("iam") or {}
    return {
        "accessKey": iam.get("accessKey"),
        "accountId": iam.get("accountId"),
        "caller": iam.get("callerId"),
        "user": iam.get("userId"),
        "userArn": iam.get("userArn"),
    }


def _authorizer(authorizer: dict[str, Any]) -> dict[str, Any] | None:
    """What else an authorizer said, as format 1.0 has it."""
    jwt, own = authorizer.get("jwt"), authorizer.get("lambda")
    return {"claims": jwt.get("claims"), "scopes": jwt.get("scopes")} if jwt else own


def write(_: Event, response: Response) -> Response:
    """The response in format 2.0: each header once, and cookies apart, which cannot be joined (RFC 6265, 3)."""
    headers = events.every_header(response)
    cookies = [value for name, values in headers.items() if name.lower() == "set-cookie" for value in values]
    return {
        "statusCode": response["statusCode"],
        "headers": {name: ", ".join(values) for name, values in headers.items() if name.lower() != "set-cookie"},
        "body": response["body"],
        "isBase64Encoded": bool(response.get("isBase64Encoded")),
        **({"cookies": cookies} if cookies else {}),
    }
