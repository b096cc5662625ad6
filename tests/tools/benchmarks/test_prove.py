"""What `make prove` says before it starts, and what its report holds."""

import json
from typing import Any

import pytest

from benchmarks.prove import report
from benchmarks.prove.__main__ import _answered, is_agreed
from benchmarks.prove.plan import Plan
from benchmarks.prove.stage import NotDeployed, Stage, _functions

FUNCTIONS = {kind: f"slimception-dev-{kind}" for kind in ("worker", "lister", "plan", "classify", "report")}


class Lambda:
    def __init__(self, *names: str) -> None:
        self._names = names

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"MemorySize": 1769}

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self) -> list[dict[str, Any]]:
        return [{"Functions": [{"FunctionName": name}]} for name in self._names]


def stage() -> Stage:
    return Stage("dev", lambda _: Lambda(), None, "1" * 12, "eu-west-1", {"api": "slimception-dev", **FUNCTIONS})


@pytest.mark.parametrize(("typed", "agreed"), [("y", True), ("Yes ", True), ("", False), ("n", False), ("no", False)])
def test_it_says_the_cost_and_asks(typed: str, agreed: bool) -> None:
    said: list[str] = []
    assert is_agreed(stage(), Plan(), lambda _: typed, yes=False, say=said.append) is agreed
    assert "300 requests, a batch of 1000 pictures, a workflow of 200. About $0.0" in said[0]
    assert "at most $" in said[0]


def test_yes_does_not_ask() -> None:
    assert is_agreed(stage(), Plan(), pytest.fail, yes=True, say=lambda _: None)


def test_the_most_is_what_time_outs_and_tries_allow() -> None:
    plan = Plan()
    assert plan.usual_usd(1769) < 0.05 < plan.most_usd(1769) < 2
    for larger in (plan._replace(pictures=2000), plan._replace(warm=900), plan._replace(workflow_pictures=900)):
        assert larger.most_usd(1769) > plan.most_usd(1769)
    lambda_alone = 300 * 30 + 200 * 30 * 5 + 40 * 60 + 1200
    assert plan.most_usd(1769) > lambda_alone * 1769 / 1024 * 0.0000166667


@pytest.mark.parametrize(
    "names",
    [
        ("slimception-dev", *FUNCTIONS.values(), "slimception-dev-2", "slimception-development"),
        ("slimception-dev-APIHandler-Xy1", *(f"slimception-dev-{kind.capitalize()}-Ab" for kind in FUNCTIONS)),
    ],
    ids=["chalice", "stack"],
)
def test_functions_of_either_way_of_deploying(names: tuple[str, ...]) -> None:
    assert list(_functions("slimception-dev", Lambda(*names)).values()) == list(names[:6])


def test_a_stage_that_is_not_there() -> None:
    with pytest.raises(NotDeployed, match="no function slimception-dev is in this account"):
        _functions("slimception-dev", Lambda("slimception-dev-2", "slimception-development"))


def test_the_report_has_every_answer_and_not_the_account(tmp_path) -> None:
    account = "210987654321"
    answers = {
        "good": {"where": f"arn:aws:sqs:eu-west-1:{account}:q", "holds": True},
        "bad": {"found": [1, 2], "holds": False},
        "broken": _answered(lambda: 1 / 0),
    }
    paths = report.write(tmp_path / "prove", {"stage": "dev"}, answers, account)
    whole, text = (path.read_text() for path in paths)
    assert account not in whole + text
    assert json.loads(whole)["answers"]["broken"] == {"error": "ZeroDivisionError: division by zero"}
    assert "ok   good" in text and "LOOK bad" in text and "where: arn:aws:sqs:eu-west-1:<account>:q" in text
    assert report.problems(answers) == ["bad", "broken"]
