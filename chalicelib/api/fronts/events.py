"""The event of a REST API, format 1.0, which is what Chalice reads: its fields, its route, how it is made of another's.

AWS sets the types of fields, but people and proxies write events, too. So each is checked before it is used.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

from chalicelib.errors import InvalidRequest, UnknownRoute, shown

Event = dict[str, Any]
Response = dict[str, Any]
"""Chalice's, and that of format 1.0: statusCode, headers, multiValueHeaders, body, perhaps isBase64Encoded."""
Routes = Mapping[str, Mapping[str, Any]]
"""Path, then method, to Chalice's entry."""
Fits = Callable[[Any], bool]
Kinds = Mapping[str, Fits]
NOWHERE = "/{proxy+}"
"""The resource of a request that reaches no route. All of them share one metric."""
_AS_SENT = "/!$&'()*+,;=:@~"
"""What a path may have unencoded. Source: RFC 3986, 3.3."""


def text(value: Any) -> bool:
    """Whether it is a string."""
    return isinstance(value, str)


def maybe_text(value: Any) -> bool:
    """The same, or null."""
    return value is None or isinstance(value, str)


def maybe_body(value: Any) -> bool:
    """The same, or bytes, which `chalice local` and Chalice's test client give."""
    return value is None or isinstance(value, str | bytes)


def maybe_flag(value: Any) -> bool:
    """Whether it is true, false or null."""
    return value is None or isinstance(value, bool)


def maybe_texts(value: Any) -> bool:
    """Whether it is an object whose values are strings, or null."""
    return value is None or (isinstance(value, dict) and all(isinstance(one, str) for one in value.values()))


def maybe_list(value: Any) -> bool:
    """Whether it is a list of strings, or null."""
    return value is None or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def maybe_lists(value: Any) -> bool:
    """Whether it is an object whose values are lists of strings and not empty, or null."""
    return value is None or (isinstance(value, dict) and all(one and maybe_list(one) for one in value.values()))


def fields(value: Any) -> bool:
    """Whether it is an object."""
    return isinstance(value, dict)


def maybe_fields(value: Any) -> bool:
    """The same, or null."""
    return value is None or isinstance(value, dict)


EXPECTED: Mapping[Fits, str] = {
    text: "a string",
    maybe_text: "a string or null",
    maybe_body: "a string or null",
    maybe_flag: "true or false",
    maybe_texts: "an object of strings",
    maybe_list: "a list of strings",
    maybe_lists: "an object of lists of strings",
    fields: "an object",
    maybe_fields: "an object or null",
}


EVENT: Kinds = {
    "httpMethod": maybe_text,
    "path": maybe_text,
    "headers": maybe_texts,
    "multiValueHeaders": maybe_lists,
    "queryStringParameters": maybe_texts,
    "multiValueQueryStringParameters": maybe_lists,
    "pathParameters": maybe_texts,
    "stageVariables": maybe_texts,
    "body": maybe_body,
    "isBase64Encoded": maybe_flag,
    "requestContext": fields,
}
"""The fields of an event in format 1.0. An ALB's has a part of them."""
CONTEXT: Kinds = {
    "httpMethod": maybe_text,
    "resourcePath": maybe_text,
    "path": maybe_text,
    "stage": maybe_text,
    "requestId": maybe_text,
    "identity": maybe_fields,
    "authorizer": maybe_fields,
}
"""Those of its `requestContext`."""


def misfit(given: Mapping[str, Any], kinds: Kinds) -> str | None:
    """The name of the first field of another type; an absent field counts as null."""
    for name, fits in kinds.items():
        if not fits(given.get(name)):
            return name
    return None


def check(given: Mapping[str, Any], kinds: Kinds, where: str = "") -> None:
    """Raise InvalidRequest for the first field of another type, with what was received and what is expected."""
    name = misfit(given, kinds)
    if name is not None:
        expected = EXPECTED[kinds[name]]
        raise InvalidRequest(f"the event's {where}{name} is {shown(given.get(name))}: expected {expected}")


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


def every_header(response: Response) -> dict[str, list[str]]:
    """The headers of a response in format 1.0, with all their values."""
    return {**{name: [value] for name, value in response["headers"].items()}, **response["multiValueHeaders"]}


def last_values(headers: Mapping[str, list[str]]) -> dict[str, str]:
    """Headers with their last values, as a REST API gives them."""
    return {name: values[-1] for name, values in headers.items()}
