"""The event of a REST API, which is what Chalice reads: made of another front's, matched with a route, and served."""

import base64
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

from chalicelib.api.fronts.shapes import App, Event, Response, Routes, check, text
from chalicelib.errors import CallerForbidden, UnknownRoute, shown

NOWHERE = "/{proxy+}"
"""The resource of a request that reaches no route. All of them share one metric."""
_AS_SENT = "/!$&'()*+,;=:@~"
"""What a path may have unencoded. Source: RFC 3986, 3.3."""


def made(method: str, path: str, found: tuple[str, Mapping[str, str]], given: Mapping[str, Any]) -> Event:
    """`given`, an event in format 1.0, for the route and the parameters `found`. `path` has the stage's prefix."""
    route, parameters = found
    about = {**given["requestContext"], "httpMethod": method, "resourcePath": route, "path": path}
    return {
        **dict.fromkeys(("headers", "multiValueQueryStringParameters", "stageVariables", "body")),
        **given,
        "pathParameters": parameters or None,
        "requestContext": about,
    }


def nowhere(event: Event) -> Event:
    """An event for the refusal of one that cannot be read: its method and its id, as far as they can be read."""
    about = event.get("requestContext")
    about = about if isinstance(about, dict) else {}
    http = about.get("http")
    methods = (http.get("method") if isinstance(http, dict) else None, about.get("httpMethod"), event.get("httpMethod"))
    method = next((name for name in methods if isinstance(name, str)), "GET")
    return made(method, NOWHERE, (NOWHERE, {}), {"requestContext": {"requestId": about.get("requestId")}})


def identified(asked: Event, context: Any) -> Event:
    """The event with an id: the front's, else the invocation's."""
    about = asked["requestContext"]
    given = about.get("requestId")
    if isinstance(given, str) and given:
        return asked
    return {**asked, "requestContext": {**about, "requestId": getattr(context, "aws_request_id", None)}}


def given(routes: Routes, own: str | None, parameters: Mapping[str, str]) -> tuple[str, dict[str, str]] | None:
    """The route of an event that names it, with its parameters; None if it names none of the app's.

    Raises InvalidRequest if a parameter is missing. What `{proxy+}` stands for is a path of the app.
    """
    if own and own in routes:
        names = [name[1:-1] for name in own.split("/") if name[:1] == "{"]
        check(parameters, dict.fromkeys(names, text), "pathParameters.")
        return own, {name: parameters[name] for name in names}
    if "proxy" in parameters:
        with suppress(UnknownRoute):
            return find(routes, [f"/{parameters['proxy']}"])
    return None


def find(routes: Routes, paths: Iterable[str]) -> tuple[str, dict[str, str]]:
    """The route of the first of some percent-encoded paths that has one, and its parameters, which stay encoded.

    A slash at the end does not count, as with a REST API. Raises UnknownRoute.
    """
    tried = [path.removesuffix("/") or "/" for path in paths]
    for path in tried:
        if path in routes:
            return path, {}
        if found := _matched(routes, path.split("/")):
            return found
    raise UnknownRoute(f"no route is {shown(tried[0])}: expected one of {', '.join(sorted(routes))}")


def _matched(routes: Routes, parts: list[str]) -> tuple[str, dict[str, str]] | None:
    for route in sorted(routes):  # a brace sorts behind letters, so that a literal part counts more than a parameter
        names = route.split("/")
        if len(names) == len(parts):
            pairs = list(zip(names, parts, strict=True))
            if all(part if name[:1] == "{" else name == unquote(part) for name, part in pairs):
                return route, {name[1:-1]: part for name, part in pairs if name[:1] == "{"}
    return None


def encoded(path: str) -> str:
    """A path that an HTTP API has decoded, as a REST API would hand it over."""
    return quote(path, _AS_SENT, errors="replace")


def within(stage: str | None, path: str) -> list[str]:
    """The path without the stage's prefix, if it has one, and as it is: a custom domain's has none."""
    prefix = f"/{stage}"
    if not stage or not f"{path}/".startswith(f"{prefix}/"):
        return [path]
    return [path[len(prefix) :] or "/", path]


def serve(asked: Event, context: Any, app: App) -> Response:
    """The response of the route; raises CallerForbidden if it is for signed requests and no front checked this one."""
    about = asked["requestContext"]
    route, method = about["resourcePath"], about["httpMethod"]
    entry = app.routes[route].get(method)
    if entry is None and method == "OPTIONS":
        return app.preflight(asked, context)
    if entry and entry.authorizer and "version" in asked and not (about.get("identity") or {}).get("userArn"):
        raise CallerForbidden(f"{method} {route} is for signed requests: the front has to check them (AWS_IAM)")
    return app.serve(asked, context)


def without_body(asked: Event, response: Response) -> Response:
    """The response to HEAD: that to GET, whose length a header tells, without the body. Source: RFC 9110, 9.3.2."""
    if asked["requestContext"]["httpMethod"] != "HEAD":
        return response
    body = response["body"] or ""
    length = len(base64.b64decode(body) if response.get("isBase64Encoded") else body.encode())
    headers = {**response["headers"], "Content-Length": str(length)}
    return {**response, "headers": headers, "body": None, "isBase64Encoded": False}


def every_header(response: Response) -> dict[str, list[str]]:
    """The headers of a response in format 1.0, with all their values."""
    return {**{name: [value] for name, value in response["headers"].items()}, **response["multiValueHeaders"]}


def last_values(headers: Mapping[str, list[str]]) -> dict[str, str]:
    """Headers with their last values, as a REST API gives them; two types of a body are both kept, to be refused."""
    return {
        name: ",".join(values) if name.lower() == "content-type" else values[-1] for name, values in headers.items()
    }
