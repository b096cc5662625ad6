"""Events, responses, and the types of an event's fields. AWS sets these, but people and proxies write events, too."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from chalicelib.errors import ClientError, InvalidRequest, shown

Event = dict[str, Any]
Response = dict[str, Any]
"""Chalice's, and that of format 1.0: statusCode, headers, multiValueHeaders, body, perhaps isBase64Encoded."""
Routes = Mapping[str, Mapping[str, Any]]
"""Path, then method, to Chalice's entry."""
Fits = Callable[[Any], bool]
Kinds = Mapping[str, Fits]


class App(Protocol):
    """What the fronts use of the app."""

    @property
    def routes(self) -> Routes:
        """Chalice's table."""

    def serve(self, event: Event, context: Any) -> Response:
        """The response of the route that a REST event names."""

    def refuse(self, error: ClientError, event: Event, context: Any) -> Response:
        """The response that an error becomes."""

    def preflight(self, event: Event, context: Any) -> Response:
        """The response to OPTIONS on a route that does not answer it itself."""


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
