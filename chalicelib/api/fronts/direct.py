"""Events of no front: a ping of a warm-up plugin, a direct invocation with a picture, and whatever else arrives."""

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chalicelib.api.fronts import events
from chalicelib.api.fronts.events import Event, Response
from chalicelib.errors import InvalidRequest, shown

if TYPE_CHECKING:
    from chalicelib.api.fronts.served import App

PING_KEYS = frozenset({"ping", "warmer", "warmup", "warm", "keep_warm", "keepWarm"})
"""Keys of which a warm-up plugin sets one to true."""
SCHEDULED = "Scheduled Event"
"""`detail-type` of EventBridge's rules with a schedule, and of EventBridge Scheduler."""


def answer(event: Any, context: Any, app: "App") -> Event:
    """The body of the response that the same request would get; an error has its `statusCode`, too."""
    if is_ping(event):
        response = app.serve(_request("GET", "/health", None, context), context)
        answered = _object(response)
        return {"warm": True, **answered} if response["statusCode"] == 200 else answered
    error = InvalidRequest(
        f"the event is {_described(event)}: expected a request of API Gateway, a function URL or an Application Load "
        'Balancer, {"image": "<base64>"} as POST /predict takes it, or {} to load the model'
    )
    if isinstance(event, dict) and event.keys() & {"image", "instances"}:
        with suppress(RecursionError):  # it came as JSON, but was read with more of the stack left
            return _object(app.serve(_request("POST", "/predict", json.dumps(event), context), context))
    return _object(app.refuse(error, events.identified(events.nowhere({}), context), context))


def is_ping(event: Any) -> bool:
    """Whether nothing is asked, but that the process be warm: the event is empty, or a known plugin's or schedule's."""
    if isinstance(event, str):
        return not event or event.startswith("#warmup")
    if not isinstance(event, dict) or not event:
        return event is None or event == {}
    source = event.get("source")
    by_plugin = (isinstance(source, str) and "warm" in source) or any(event.get(key) is True for key in PING_KEYS)
    return by_plugin or event.get("detail-type") == SCHEDULED


def _request(method: str, route: str, body: str | None, context: Any) -> Event:
    given = {"headers": {"content-type": "application/json"}, "body": body, "requestContext": {}}
    return events.identified(events.made(method, route, (route, {}), given), context)


def _object(response: Response) -> Event:
    status = response["statusCode"]
    return {**({} if status == 200 else {"statusCode": status}), **json.loads(response["body"])}


def _described(event: Any) -> str:
    if not isinstance(event, dict):
        return shown(event)
    return f"{shown(event)} with {', '.join(map(shown, list(event)[:5]))}"
