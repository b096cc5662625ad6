"""The definition itself: a linter's word, and the rules that no linter knows."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import errors
from chalicelib.workflow.reporter import MEMORY_MB
from layers.deploy.definition import read_definition
from layers.deploy.resources import RESOURCES
from layers.deploy.state_machine import FUNCTIONS, state_machine_template
from tests.support.paths import ROOT
from tests.support.templates import errors_in
from tests.tools.layers.conftest import of_each_stage

States = dict[str, Any]
LAMBDA_ERRORS = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.ResourceConflictException",
}
BUSY = "Lambda.TooManyRequestsException"
ENDED = {
    "States.Timeout", "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory", "MemoryError", "Lambda.Unknown",
}  # fmt: skip
EXPRESS_LIMIT_S = 300
MAX_CALLS = 20
"""At once, of the thousand that an account has, or of the ten of a new one, which makes the others wait."""
ARNS = {name: f"arn:aws:lambda:eu-west-1:123456789012:function:slimception-dev-{name.lower()}" for name in FUNCTIONS}


@pytest.fixture(scope="module")
def definition() -> States:
    return read_definition(ROOT / ".chalice/workflow.asl.json")


def machines(definition: States) -> Iterator[States]:
    """The state machine and all within it."""
    yield definition
    for state in definition["States"].values():
        if "ItemProcessor" in state:
            yield from machines(state["ItemProcessor"])


def all_states(definition: States) -> dict[str, States]:
    found = [item for machine in machines(definition) for item in machine["States"].items()]
    assert len(dict(found)) == len(found), "a name is used twice"
    return dict(found)


@pytest.fixture(scope="module")
def tasks(definition: States) -> dict[str, States]:
    return {name: state for name, state in all_states(definition).items() if state["Type"] == "Task"}


def targets(state: States) -> set[str]:
    named = [state, *state.get("Catch", []), *state.get("Choices", [])]
    return {part["Next"] for part in named if "Next" in part} | ({state["Default"]} if "Default" in state else set())


def test_every_state_is_reached_and_every_target_is_there(definition):
    for machine in machines(definition):
        states = machine["States"]
        reached = {machine["StartAt"]}.union(*(targets(state) for state in states.values()))
        assert reached == set(states)


def test_cfn_lint_finds_nothing():
    assert errors_in(state_machine_template(ROOT / RESOURCES, "dev", ARNS)) == []


@pytest.mark.parametrize("damage", ["StartAt", "States"])
def test_cfn_lint_looks_into_it(damage):
    template = state_machine_template(ROOT / RESOURCES, "dev", ARNS)
    properties = template["Resources"]["Workflow"]["Properties"]
    definition = json.loads(properties["DefinitionString"])
    del definition["States"]["Many"]["ItemProcessor"][damage]
    properties["DefinitionString"] = json.dumps(definition)
    assert errors_in(template) == [f"E3601 '{damage}' is a required property at 'States/Many/ItemProcessor'"]


class TestTasks:
    def test_each_ends_in_time_and_not_before_its_function(self, tasks):
        for state in tasks.values():
            function = state["Parameters"]["FunctionName"].removeprefix("${").removesuffix("Arn}").lower()
            for timeout_s in of_each_stage(function, "lambda_timeout"):
                assert state["TimeoutSeconds"] > timeout_s

    def test_what_classifies_has_the_memory_that_the_report_prices(self):
        for name in ("classify", "report"):
            assert set(of_each_stage(name, "lambda_memory_size")) == {MEMORY_MB}

    def test_each_retries_what_may_pass_with_backoff_and_jitter(self, tasks):
        for name, state in tasks.items():
            retried = {error for retrier in state["Retry"] for error in retrier["ErrorEquals"]}
            assert retried >= LAMBDA_ERRORS | ENDED | {"StorageError"}, name
            for retrier in state["Retry"]:
                assert retrier["JitterStrategy"] == "FULL"
                assert retrier["BackoffRate"] > 1 and retrier["MaxDelaySeconds"] > retrier["IntervalSeconds"]
                assert retrier["MaxAttempts"] > 0

    def test_throttling_is_waited_out_for_longest(self, tasks):
        for state in tasks.values():
            busy = longest_wait_s(retrier_of(state, BUSY))
            assert all(busy > longest_wait_s(r) for r in state["Retry"] if BUSY not in r["ErrorEquals"])

    def test_what_is_permanent_is_not_retried(self, tasks):
        permanent = {leaf.__name__ for leaf in leaves(errors.SlimceptionError)} - {"StorageError"}
        for name, state in tasks.items():
            retried = {error for retrier in state["Retry"] for error in retrier["ErrorEquals"]}
            assert not retried & {"States.ALL", "States.TaskFailed"}
            allowed = {"ObjectForbidden", "ObjectGone"} if name == "Report" else set()
            assert retried & permanent == allowed

    def test_every_error_that_is_caught_or_retried_exists(self, tasks):
        known = {leaf.__name__ for leaf in leaves(errors.SlimceptionError)} | LAMBDA_ERRORS | ENDED | {"States.ALL"}
        for state in tasks.values():
            for rule in state["Retry"] + state.get("Catch", []):
                assert set(rule["ErrorEquals"]) <= known


class TestGroups:
    def test_few_and_many_do_the_same(self, definition):
        few = definition["States"]["Few"]["ItemProcessor"]
        many = definition["States"]["Many"]["ItemProcessor"]["States"]["Batch"]["ItemProcessor"]
        assert json.loads(json.dumps(many).replace(" in a batch", "")) == few
        assert list(many["States"]) == [f"{name} in a batch" for name in few["States"]]

    def test_a_group_never_ends_an_execution(self, definition):
        states = definition["States"]["Few"]["ItemProcessor"]["States"]
        for state in states.values():
            assert state["Type"] == "Pass" or "States.ALL" in state["Catch"][-1]["ErrorEquals"]

    def test_a_group_that_times_out_ends_within_an_express_execution(self, definition):
        """Every try to the last second, every wait to the longest: both models, A alone, and then the record of it."""
        states = definition["States"]["Few"]["ItemProcessor"]["States"]
        total_s = states["Record the failure"]["TimeoutSeconds"]
        for name in ("Classify", "With A instead"):
            ended = retrier_of(states[name], "Sandbox.Timedout")
            total_s += (1 + ended["MaxAttempts"]) * states[name]["TimeoutSeconds"]
            total_s += ended["MaxAttempts"] * ended["MaxDelaySeconds"]
        assert total_s * waves(definition["States"]["Many"]) < EXPRESS_LIMIT_S

    def test_a_group_that_is_refused_throughout_is_recorded_within_an_express_execution(self, definition):
        """Every wait to its longest, before it is given up and again before the record of it."""
        states = definition["States"]["Few"]["ItemProcessor"]["States"]
        total_s = states["Record the failure"]["TimeoutSeconds"]
        for name in ("Classify", "Record the failure"):
            total_s += longest_wait_s(retrier_of(states[name], BUSY))
        assert total_s * waves(definition["States"]["Many"]) < EXPRESS_LIMIT_S

    def test_storage_that_fails_for_half_a_minute_fails_no_group(self, definition):
        """And one that is down for longer ends within an express execution, every try with all its 10 s."""
        states = definition["States"]["Few"]["ItemProcessor"]["States"]
        storage = retrier_of(states["Classify"], "StorageError")
        assert longest_wait_s(storage) > 45  # the jitter halves it, on average
        total_s = 2 * (longest_wait_s(storage) + 10 * (1 + storage["MaxAttempts"]))
        assert total_s * waves(definition["States"]["Many"]) < EXPRESS_LIMIT_S

    def test_only_so_many_calls_are_made_at_once(self, definition):
        many, few = definition["States"]["Many"], definition["States"]["Few"]
        inner = many["ItemProcessor"]["States"]["Batch"]
        assert many["MaxConcurrency"] * inner["MaxConcurrency"] <= MAX_CALLS
        assert few["MaxConcurrency"] <= MAX_CALLS

    def test_many_are_express_and_go_in_batches(self, definition):
        many = definition["States"]["Many"]
        assert many["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
        assert many["ItemBatcher"]["MaxItemsPerBatch"] > 1
        assert many["ToleratedFailurePercentage"] == 100


def retrier_of(state: States, error: str) -> States:
    """The one that takes the error."""
    (found,) = [retrier for retrier in state["Retry"] if error in retrier["ErrorEquals"]]
    return found


def longest_wait_s(retrier: States) -> float:
    """Of all its tries, without the jitter that shortens them."""
    waits = (retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n for n in range(retrier["MaxAttempts"]))
    return sum(min(wait, retrier["MaxDelaySeconds"]) for wait in waits)


def waves(many: States) -> int:
    """How many rounds of groups a child makes, one after the other."""
    return math.ceil(
        many["ItemBatcher"]["MaxItemsPerBatch"] / many["ItemProcessor"]["States"]["Batch"]["MaxConcurrency"]
    )


def leaves(cls: type) -> Iterator[type]:
    for below in cls.__subclasses__():
        yield from leaves(below)
    if not cls.__subclasses__():
        yield cls
