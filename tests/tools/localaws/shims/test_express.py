"""Express children of a Distributed Map, with half a second in place of five minutes."""

import json
import time

import pytest

from localaws.cloud.local_aws import LocalAws
from localaws.host.lambda_host import LambdaHost
from localaws.shims.limits import Limits
from tests.support.roles import make_role


@pytest.fixture(scope="module")
def states():
    with LocalAws(host=LambdaHost(max_instances=1), limits=Limits(express_s=0.5)) as running:
        make_role(running, "any", "states:StartExecution")
        client = running.client("stepfunctions")
        yield client
        client.close()


@pytest.fixture
def run(states):
    def run(kind, role="any"):
        child = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 2, "End": True}}}
        processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind}, **child}
        state = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "End": True}
        machine = states.create_state_machine(
            name=f"{kind}-{role}",
            roleArn=f"arn:aws:iam::123456789012:role/{role}",
            definition=json.dumps({"StartAt": "Map", "States": {"Map": state}}),
        )["stateMachineArn"]
        execution = states.start_execution(stateMachineArn=machine, input='{"items": [1]}')["executionArn"]
        while (ended := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            time.sleep(0.02)
        runs = states.list_map_runs(executionArn=execution)["mapRuns"]
        counts = states.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["itemCounts"]
        return ended["status"], counts["succeeded"], counts["failed"] + counts["timedOut"]

    return run


@pytest.mark.parametrize(("kind", "succeeded", "failed"), [("EXPRESS", 0, 1), ("STANDARD", 1, 0)])
def test_they_end_when_their_time_is_over(run, kind, succeeded, failed):
    assert run(kind)[1:] == (succeeded, failed)


def test_a_role_that_may_not_start_them(run):
    assert run("STANDARD", "nobody")[0] == "FAILED"
