"""The deployed state machine on this machine's AWS: the same definition, real function processes, every failure."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from werkzeug.wrappers import Response

from benchmarks.workflow.__main__ import main
from benchmarks.workflow.deployment import ABSENT, CORRUPT, FIRST, SECOND, deploy
from benchmarks.workflow.faults import STUCK, THROTTLE, TIMEOUT, FaultyHost, FirstWriteRefused
from benchmarks.workflow.trial import STATE_MACHINE, Trial, pictures
from layers.deploy.definition import read_definition
from layers.deploy.resources import RESOURCES
from layers.deploy.state_machine import deploy_state_machine
from layers.pythons import own
from localaws.cloud.local_aws import LocalAws
from tests.support.local_cloud import skipped_without_an_index
from tests.support.paths import ROOT

pytest.importorskip("ai_edge_quantizer", reason="the second model needs the converter: make convert-env")

FEW, MANY = 60, 130
INPUT = {
    "experiment": "tested",
    "models": [FIRST, SECOND],
    "weight": 0.4,
    "shadow": 0.3,
    "labels": "folders",
    "group": 20,
}
FORBIDDEN = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def cloud(runtime_packages, tmp_path_factory) -> Iterator[LocalAws]:
    with LocalAws(host=FaultyHost(max_instances=4)) as running:
        with skipped_without_an_index():
            deploy(running, own(), tmp_path_factory.mktemp("deployment"), lambda line: None)
        yield running


@pytest.fixture
def try_out(cloud: LocalAws) -> Iterator[Callable[..., Trial]]:
    """Runs a trial and asserts that its counts add up."""

    def run(count: int = FEW, broken: bool = False, **changes: Any) -> Trial:
        trial = trial_of(cloud, count, broken, **changes)
        assert trial.run() == []
        return trial

    yield run
    cloud.host.fault = None  # type: ignore[attr-defined]
    cloud.refuse(lambda environ: None)


def trial_of(cloud: LocalAws, count: int = FEW, broken: bool = False, **changes: Any) -> Trial:
    name = f"trial-{next(NUMBERS)}"
    return Trial(cloud, name, {**INPUT, **changes}, pictures(count, 1, broken=broken), folder=name)


def history(cloud: LocalAws, trial: Trial) -> list[dict[str, Any]]:
    states = cloud.client("stepfunctions")
    events: list[dict[str, Any]] = states.get_execution_history(executionArn=trial.execution["executionArn"])["events"]
    states.close()
    return events


def failures_of(trial: Trial) -> Counter[str]:
    return sum((Counter(trial.report["arms"][arm]["failures"]) for arm in ("A", "B")), Counter())


@pytest.mark.parametrize("count", [FEW, MANY], ids=["few", "many"])
def test_nothing_goes_wrong(cloud, try_out, count):
    trial = try_out(count)
    counts = trial.report["counts"]
    assert (counts["answered"], counts["failed"], counts["fallbacks"]) == (count, 0, 0)
    assert all(row["expected"] == row["key"].split("/")[-2] for row in trial.rows)
    assert {row["model"] for row in trial.rows if row["arm"] == "B"} == {SECOND}
    assert 0 < sum("shadow_label" in row for row in trial.rows) < count
    assert "<html" in trial.page.lower()
    entered = {event["type"] for event in history(cloud, trial)}
    assert ("MapRunStarted" in entered) == (count == MANY)


def test_the_same_input_gives_the_same_assignment(cloud, try_out):
    dealt = []
    for execution in ("first", "second"):
        trial = Trial(cloud, execution, INPUT, pictures(FEW, 1), folder="same")
        assert trial.run() == []
        dealt.append({row["key"]: (row["arm"], "shadow_label" in row) for row in trial.rows})
    assert dealt[0] == dealt[1] and len(dealt[0]) == FEW


@pytest.mark.parametrize("fault", [THROTTLE, TIMEOUT])
def test_what_passes_on_the_second_try(cloud, try_out, fault):
    cloud.host.fault = fault
    trial = try_out()
    assert cloud.host.injected.count >= 3
    assert (trial.report["counts"]["answered"], trial.report["counts"]["fallbacks"]) == (FEW, 0)
    name = {THROTTLE: "Lambda.TooManyRequestsException", TIMEOUT: "Sandbox.Timedout"}[fault]
    assert [e["taskFailedEventDetails"]["error"] for e in history(cloud, trial) if e["type"] == "TaskFailed"] == 3 * [
        name
    ]


@pytest.mark.parametrize(("second", "count"), [(ABSENT, FEW), (CORRUPT, FEW), (ABSENT, MANY)])
def test_a_second_model_that_fails(cloud, try_out, second, count):
    trial = try_out(count, models=[FIRST, second])
    of_b = [row for row in trial.rows if row["arm"] == "B"]
    assert of_b and all(row["fallback"] and row["model"] == FIRST for row in of_b)
    assert trial.report["counts"]["fallbacks"] == trial.report["arms"]["B"]["fallbacks"] == len(of_b)
    assert trial.report["counts"]["answered"] == count
    assert trial.report["arms"]["B"]["fallback_reasons"] == {"SecondModelError": len(of_b)}
    assert not any(row.get("fallback") for row in trial.rows if row["arm"] == "A")


def test_a_second_model_that_always_takes_too_long(cloud, try_out):
    cloud.host.fault = STUCK
    trial = try_out()
    assert trial.report["counts"]["fallbacks"] == trial.report["arms"]["B"]["images"] > 0
    assert trial.report["counts"]["failed"] == 0
    assert set(trial.report["arms"]["B"]["fallback_reasons"]) == {"Sandbox.Timedout"}


def test_files_that_are_not_pictures(try_out):
    trial = try_out(broken=True)
    assert failures_of(trial) == {"UnsupportedMediaTypeError": 3}
    assert trial.report["counts"]["failed"] == 3


def test_a_bucket_that_refuses_the_first_write(cloud, try_out):
    rule = FirstWriteRefused()
    cloud.refuse(rule)
    trial = try_out()
    assert rule.injected.count == 1
    failed = [e["taskFailedEventDetails"]["error"] for e in history(cloud, trial) if e["type"] == "TaskFailed"]
    assert failed == ["ObjectForbidden"]


def test_a_first_model_that_is_missing_fails_at_once_and_says_so(cloud):
    trial = trial_of(cloud, 3, models=[ABSENT, SECOND])
    assert len(trial.run()) == 1
    assert (trial.execution["status"], trial.execution["error"]) == ("FAILED", "UnknownModel")
    assert f"no model is called '{ABSENT}'" in trial.execution["cause"]


@pytest.mark.parametrize(
    ("refusals", "code", "count"), [(1, "ObjectForbidden", FEW), (2, "GroupFailed", FEW), (2, "GroupFailed", MANY)]
)
def test_a_group_that_fails_is_recorded_and_the_others_go_on(cloud, try_out, refusals, code, count):
    """Classifying it fails for good; with two refusals, recording that fails as well, and the report finds no rows."""
    left = iter(range(refusals))

    def refuse(environ: Mapping[str, Any]) -> Response | None:
        its = environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith("groups/000001.jsonl")
        return Response(FORBIDDEN, 403) if its and next(left, None) is not None else None

    cloud.refuse(refuse)
    trial = trial_of(cloud, count)
    trial.run()
    assert trial.execution["status"] == "SUCCEEDED"
    assert failures_of(trial) == {code: INPUT["group"]}
    assert trial.report["counts"]["images"] == count
    assert trial.report["counts"]["answered"] == count - INPUT["group"]


def test_a_map_that_cannot_begin_is_reported_and_fails(cloud, try_out):
    """The list of groups cannot be read: no group runs, and the report says why, not that nothing was recorded."""

    def refuse(environ: Mapping[str, Any]) -> Response | None:
        its = environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith("/groups.json")
        return Response(FORBIDDEN, 403) if its else None

    cloud.refuse(refuse)
    trial = trial_of(cloud, MANY)
    assert len(trial.run()) == 1
    assert (trial.execution["status"], trial.execution["error"]) == ("FAILED", "NothingAnswered")
    assert f"none of {MANY} pictures was answered" in trial.execution["cause"]
    s3 = cloud.client("s3")
    trial.fetch(s3)
    s3.close()
    assert failures_of(trial).total() == MANY == trial.report["counts"]["failed"]
    assert "GroupFailed" not in failures_of(trial)


def test_it_can_be_deployed_again(cloud):
    clients = [cloud.client(name) for name in ("cloudformation", "lambda", "stepfunctions")]
    said = list(deploy_state_machine(*clients[:2], ROOT / RESOURCES, "slimception", "dev"))
    machines = clients[2].list_state_machines()["stateMachines"]
    for client in clients:
        client.close()
    assert said and said[0].startswith("stack slimception-dev-workflow")
    assert [machine["name"] for machine in machines] == [STATE_MACHINE]


def test_the_command_refuses_an_unknown_failure(capsys):
    with pytest.raises(SystemExit):
        main(["--fail", "fire"])
    assert "b-corrupt" in capsys.readouterr().err


def test_the_definition_that_runs_is_the_one_in_the_repository(cloud):
    states = cloud.client("stepfunctions")
    arn = states.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    running = json.loads(states.describe_state_machine(stateMachineArn=arn)["definition"])
    states.close()
    written = json.dumps(read_definition(ROOT / ".chalice" / "workflow.asl.json"))
    assert list(running["States"]) == list(json.loads(written)["States"])
    for name in ("Plan", "Classify", "Report"):
        written = written.replace(
            f"${{{name}Arn}}", f"arn:aws:lambda:us-east-1:123456789012:function:slimception-dev-{name.lower()}"
        )
    assert running == json.loads(written)
