"""Events in which a field has another type, or is missing: always a response, 200 or 4xx, and never an exception."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import app
from tests.support.fronts import Context, received
from tests.support.paths import DATA

EVENTS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((DATA / "events").glob("*.json"))
    if path.stem not in ("console_test", "schedule_rule")
}
"""One of each front."""
VALUES = [None, True, 5, -1.5, "", "text", "\ud800%\0", [], ["a"], [None], [[]], {}, {"a": "b"}, {"a": 5}, {"a": []}]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
MISSING = object()


def places(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where a field is: the keys that lead to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*place, key)
            yield from places(inner, (*place, key))


PLACES = [(name, place) for name, event in EVENTS.items() for place in places(event)]


def changed(event: dict[str, Any], place: tuple[str, ...], value: Any) -> dict[str, Any]:
    event = copy.deepcopy(event)
    inner = event
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    if value is MISSING:
        del inner[place[-1]]
    return event


def assert_answers(event: Any) -> None:
    """A response of the event's front, or an object if the event comes from none."""
    answer = app.app(event, Context())
    json.dumps(answer)
    status = answer.get("statusCode", 200)
    assert status == 200 or 400 <= status < 500, answer
    if "body" in answer and isinstance(event.get("requestContext"), dict):
        received(event, answer)


@pytest.fixture(autouse=True)
def _quiet(quiet: None) -> None:
    """The log lines are many."""


@pytest.mark.parametrize(("name", "place"), PLACES, ids=lambda part: part if isinstance(part, str) else ".".join(part))
def test_a_field_of_another_type(name: str, place: tuple[str, ...]) -> None:
    for value in [*VALUES, MISSING]:
        assert_answers(changed(EVENTS[name], place, value))


@given(st.sampled_from(PLACES), JSON, st.sampled_from(PLACES), JSON)
def test_two_fields_of_any_types(first: Any, one: Any, second: Any, other: Any) -> None:
    event = changed(EVENTS[first[0]], first[1], one)
    if second[0] == first[0] and second[1][: len(first[1])] != first[1]:
        event = changed(event, second[1], other)
    assert_answers(event)


@given(JSON)
def test_events_of_any_kind(event: Any) -> None:
    assert_answers(event)


@given(st.dictionaries(st.sampled_from(sorted({key for event in EVENTS.values() for key in event})), JSON))
def test_events_with_the_keys_of_a_front(event: Any) -> None:
    assert_answers(event)


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("rest", "headers", ["a"], "the event's headers is a JSON list of 1: expected an object of strings"),
        ("rest", "body", 5, "the event's body is 5: expected a string or null"),
        ("rest", "multiValueQueryStringParameters", {"a": "1"}, "expected an object of lists of strings"),
        ("rest", "requestContext.httpMethod", None, "the event's httpMethod is null: expected a string"),
        ("rest", "requestContext.identity", "x", 'the event\'s requestContext.identity is "x": expected an object or'),
        ("http_1", "path", {}, "the event's path is a JSON object of 0: expected a string or null"),
        ("http_2_jwt", "rawPath", 1, "the event's rawPath is 1: expected a string"),
        ("http_2_jwt", "cookies", "a=b", 'the event\'s cookies is "a=b": expected a list of strings'),
        ("http_2_jwt", "requestContext", [], "the event's requestContext is a JSON list of 0: expected an object"),
        ("url_iam", "requestContext.http", None, "the event's requestContext.http is null: expected an object"),
        ("url_iam", "requestContext.authorizer.iam", 7, "requestContext.authorizer.iam is 7: expected an object or"),
        ("url_iam", "isBase64Encoded", "false", 'the event\'s isBase64Encoded is "false": expected true or false'),
        ("alb", "headers", {"a": None}, "the event's headers is a JSON object of 1: expected an object of strings"),
        ("alb", "path", None, "the event's path is null: expected a string"),
        ("alb_several", "multiValueHeaders", {"a": "b"}, "expected an object of lists of strings"),
        ("alb_several", "requestContext.elb", True, "the event's requestContext.elb is true: expected an object"),
    ],
)
def test_the_refusal_says_what_was_received_and_logs_it(
    name: str, place: str, value: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    event = changed(EVENTS[name], tuple(place.split(".")), value)
    response = app.app(event, Context())
    assert (response["statusCode"], message in json.loads(response["body"])["Message"]) == (400, True), response
    line = json.loads(capsys.readouterr().out)
    assert (line["status"], message in line["error"]) == (400, True)


@pytest.mark.parametrize("name", EVENTS)
def test_as_it_is_each_reaches_its_route(name: str) -> None:
    body = json.loads(app.app(EVENTS[name], Context())["body"])
    assert (body["Code"], "(3 bytes received)" in body["Message"]) == ("UnsupportedMediaTypeError", True)
