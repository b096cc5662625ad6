"""The one door: every event of the function that answers the API comes in here, and its answer goes out.

Which front sent an event is seen by its shape, for a function may have several. Sources: API Gateway developer guide,
"Input format of a Lambda function for proxy integration" (REST) and "Create AWS Lambda proxy integrations for HTTP
APIs"; Lambda developer guide, "Request and response payloads" (function URLs); Application Load Balancer user guide,
"Use Lambda functions as targets".
"""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chalicelib.api.fronts import alb, format_1, format_2  # a millisecond of INIT, not of the first event
from chalicelib.api.fronts.events import CONTEXT, EVENT, Event, Response, Routes, identified, misfit, nowhere
from chalicelib.errors import CallerForbidden, ClientError

if TYPE_CHECKING:
    from chalicelib.api.fronts.served import App

_NEEDED = frozenset({"headers", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body"})
"""What Chalice reads without looking whether it is there."""
OF_HTTP = frozenset({"requestContext", "httpMethod", "rawPath", "routeKey", "resource", "rawQueryString"})
"""An event with one of these keys comes from a front, so that its answer has to be a response."""


def answer(event: Any, context: Any, app: "App") -> Any:
    """What the function returns for an event: a response for a front, else an object."""
    if _is_plain(event, app.routes):
        return app.serve(event, context)
    if not isinstance(event, dict) or not event.keys() & OF_HTTP:
        from chalicelib.api.fronts import direct  # few processes need it

        return direct.answer(event, context, app)
    read, write = _front_of(event)
    asked = nowhere(event)
    try:
        asked = read(event, app.routes)
        response = _served(identified(asked, context), context, app)
    except ClientError as error:
        response = app.refuse(error, identified(asked, context), context)
    return write(event, _without_body(asked, response))


def _is_plain(event: Any, routes: Routes) -> bool:
    """Whether Chalice can take it as it is: of a REST API, whole, for one of the routes, and not HEAD."""
    try:
        context = event["requestContext"]
        path, method = context["resourcePath"], context["httpMethod"]
        if path not in routes or method not in routes[path] or method == "HEAD" or not event.keys() >= _NEEDED:
            return False
    except (KeyError, TypeError, AttributeError):
        return False
    if "version" in event or misfit(event, EVENT) or misfit(context, CONTEXT):
        return False
    names = routes[path][method].view_args
    return not names or (event["pathParameters"] or {}).keys() >= set(names)


def _front_of(event: Event) -> tuple[Callable[[Event, Routes], Event], Callable[[Event, Response], Response]]:
    """The functions that read an event of this front, and that write the response for it."""
    if "rawPath" in event or event.get("version") == "2.0":
        return format_2.read, format_2.write
    context = event.get("requestContext")
    if isinstance(context, dict) and "elb" in context:
        return alb.read, alb.write
    return format_1.read, format_1.write


def _served(asked: Event, context: Any, app: "App") -> Response:
    """The response of the route; raises CallerForbidden if it is for signed requests and no front checked this one."""
    about = asked["requestContext"]
    route, method = about["resourcePath"], about["httpMethod"]
    entry = app.routes[route].get(method)
    if entry is None and method == "OPTIONS":
        return app.preflight(asked, context)
    if entry and entry.authorizer and "version" in asked and not (about.get("identity") or {}).get("userArn"):
        raise CallerForbidden(f"{method} {route} is for signed requests: the front has to check them (AWS_IAM)")
    return app.serve(asked, context)


def _without_body(asked: Event, response: Response) -> Response:
    """The response to HEAD: that to GET, whose length a header tells, without the body. Source: RFC 9110, 9.3.2."""
    if asked["requestContext"]["httpMethod"] != "HEAD":
        return response
    body = response["body"] or ""
    length = len(base64.b64decode(body) if response.get("isBase64Encoded") else body.encode())
    headers = {**response["headers"], "Content-Length": str(length)}
    return {**response, "headers": headers, "body": None, "isBase64Encoded": False}
