"""Format 1.0: a REST API's events that Chalice cannot take as they are, and an HTTP API's.

A REST API hands paths over as they were sent. An HTTP API decodes them before the function sees them.
"""

from chalicelib.api.fronts import events
from chalicelib.api.fronts.events import CONTEXT, EVENT, Event, Response, Routes, check, maybe_text, text


def read(event: Event, routes: Routes) -> Event:
    """The event with one of the routes; raises InvalidRequest or UnknownRoute.

    The route is the event's own or, if that is `$default` or has `{proxy+}`, the one that fits the path.
    """
    check(event, {**EVENT, "version": maybe_text, "resource": maybe_text})
    about = event["requestContext"]
    check(about, CONTEXT, "requestContext.")
    method, own = about.get("httpMethod", event.get("httpMethod")), about.get("resourcePath", event.get("resource"))
    check({"httpMethod": method}, {"httpMethod": text})
    as_sent = events.encoded if event.get("version") else str
    path = as_sent(event.get("path") or about.get("path") or "/")
    parameters = {name: as_sent(value) for name, value in (event.get("pathParameters") or {}).items()}
    found = events.given(routes, own, parameters) or events.find(routes, events.within(about.get("stage"), path))
    return events.made(method, as_sent(about.get("path") or path), found, {**event, **_of_single_values(event)})


def _of_single_values(event: Event) -> Event:
    """Headers and query as Chalice reads them, where the event has them in the other form alone."""
    headers, query = event.get("multiValueHeaders"), event.get("queryStringParameters")
    made: Event = {}
    if headers and not event.get("headers"):
        made["headers"] = events.last_values(headers)
    if query and not event.get("multiValueQueryStringParameters"):
        made["multiValueQueryStringParameters"] = {name: [value] for name, value in query.items()}
    return made


def write(_: Event, response: Response) -> Response:
    """Format 1.0 is what Chalice writes."""
    return response
