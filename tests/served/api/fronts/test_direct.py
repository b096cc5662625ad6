"""Events of no front: pings, direct invocations, and what else arrives."""

import json
from collections.abc import Callable
from typing import Any

import pytest

import app
from chalicelib import runtime
from tests.support.bundles import DAMAGES
from tests.support.fronts import Context, Sent, rest
from tests.support.paths import DATA
from tests.support.pictures import GREEN, RED
from tests.support.requests import b64, settled

pytestmark = pytest.mark.usefixtures("client")


def stored(name: str) -> Any:
    return json.loads((DATA / "events" / f"{name}.json").read_text(encoding="utf-8"))


PINGS = {
    "nothing": {},
    "null": None,
    "an empty string": "",
    "serverless-plugin-warmup": {"source": "serverless-plugin-warmup"},
    "a plugin's own context": {"source": "serverless-plugin-warmup", "concurrency": 2},
    "lambda-warmer": {"warmer": True, "concurrency": 3},
    "a hand's": {"ping": True},
    "Thundra's": "#warmup wait=200",
    "a rule with a schedule": stored("schedule_rule"),
    "EventBridge Scheduler": {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "detail": "{}",
    },
}
OTHERS = {
    "the console's test": (stored("console_test"), 'a JSON object of 3 with "key1", "key2", "key3"'),
    "a message of SQS": ({"Records": [{"eventSource": "aws:sqs"}]}, 'a JSON object of 1 with "Records"'),
    "many keys": ({str(n): n for n in range(99)}, 'a JSON object of 99 with "0", "1", "2", "3", "4":'),
    "a list": ([{}], "a JSON list of 1"),
    "an empty list": ([], "a JSON list of 0"),
    "a number": (0, "is 0:"),
    "false": (False, "is false:"),
    "text": ("hello", 'is "hello":'),
    "a warm-up that is off": ({"warmer": False}, 'with "warmer"'),
    "a source that is no text": ({"source": ["warm"]}, 'with "source"'),
    "another rule's event": ({"detail-type": "Object Created", "source": "aws.s3"}, 'with "detail-type", "source"'),
}


def invoke(event: Any) -> Any:
    answer = app.app(event, Context())
    json.dumps(answer)
    return answer


class TestPing:
    @pytest.mark.parametrize("name", PINGS)
    def test_it_loads_the_model_and_says_so(self, name: str) -> None:
        assert not runtime.api._store._loaded
        answer = invoke(PINGS[name])
        assert (answer["warm"], answer["status"], answer["model"]["name"]) == (True, "ok", "channels_float")
        assert answer["request_id"] == Context.aws_request_id
        assert list(runtime.api._store._loaded) == ["channels_float"]

    def test_a_model_that_does_not_load_is_said_too(self, models_dir: Any) -> None:
        damage, complaint = DAMAGES["labels not UTF-8"]
        damage(models_dir / "channels_float")
        answer = invoke({})
        assert (answer["statusCode"], answer["Code"]) == (503, "ServiceUnavailableError")
        assert complaint in answer["Message"] and "warm" not in answer

    def test_the_account_is_known_before_the_model_is_loaded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[str | None] = []
        monkeypatch.setattr(runtime, "note_function", seen.append)
        invoke({})
        assert seen == [Context.invoked_function_arn]

    def test_it_is_one_log_line(self, log_lines: Callable[[], list[dict[str, Any]]]) -> None:
        invoke({})
        (line,) = log_lines()
        assert (line["path"], line["status"], line["model"]) == ("/health", 200, "channels_float")


class TestDirectInvocation:
    @pytest.mark.parametrize(
        "event",
        [
            {"image": b64(RED)},
            {"image": b64(GREEN), "top_k": 2},
            {"image": b64(GREEN), "model": "channels_float"},
            {"instances": [{"b64": b64(RED)}, {"b64": b64(GREEN)}], "top_k": 1},
        ],
        ids=lambda event: ", ".join(event),
    )
    def test_it_is_answered_as_a_post_of_the_same(self, event: dict[str, Any]) -> None:
        posted = Sent(
            "POST", "/predict", headers=(("Content-Type", "application/json"),), body=json.dumps(event).encode()
        )
        answer = invoke(event)
        assert settled(answer) == settled(json.loads(invoke(rest(posted))["body"]))
        assert set(answer) == {"model", "predictions", "timing_ms", "cold_start", "request_id"}

    @pytest.mark.parametrize(
        ("event", "status", "code"),
        [
            ({"image": None}, 400, "BadRequestError"),
            ({"image": "!"}, 400, "BadRequestError"),
            ({"image": b64(RED), "unknown": 1}, 400, "BadRequestError"),
            ({"image": b64(RED), "top_k": float("nan")}, 400, "BadRequestError"),
            ({"image": b64(RED), "top_k": "2"}, 400, "BadRequestError"),
            ({"image": b64(RED), "model": "x"}, 404, "NotFoundError"),
            ({"image": b64(b"no picture")}, 415, "UnsupportedMediaTypeError"),
            ({"instances": []}, 400, "BadRequestError"),
            ({"image": "\ud800"}, 400, "BadRequestError"),
        ],
    )
    def test_an_error_has_its_status_and_is_no_exception(self, event: Any, status: int, code: str) -> None:
        answer = invoke(event)
        assert (answer["statusCode"], answer["Code"]) == (status, code)
        assert set(answer) == {"statusCode", "Code", "Message", "request_id"}

    def test_one_that_nests_deeper_than_the_stack_is_refused(self) -> None:
        nested: Any = "x"
        for _ in range(100_000):
            nested = [nested]
        answer = app.app({"image": nested}, Context())
        while nested != "x":  # or freeing it needs the stack
            nested = nested.pop()
        assert (answer["statusCode"], answer["Code"]) == (400, "BadRequestError")


class TestWhateverElse:
    @pytest.mark.parametrize("name", OTHERS)
    def test_it_is_told_what_is_expected_and_logged(
        self, name: str, log_lines: Callable[[], list[dict[str, Any]]]
    ) -> None:
        event, described = OTHERS[name]
        answer = invoke(event)
        assert (answer["statusCode"], answer["Code"]) == (400, "BadRequestError")
        assert described in answer["Message"] and '{"image": "<base64>"}' in answer["Message"]
        (line,) = log_lines()
        assert (line["status"], line["error"], line["request_id"]) == (400, answer["Message"], Context.aws_request_id)

    def test_without_a_context_too(self) -> None:
        answer = app.app({"key1": 1}, None)
        assert answer["statusCode"] == 400 and answer["request_id"]
