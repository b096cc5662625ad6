"""The state machine in the packaged template, and as its own stack after `chalice deploy`."""

import json
import re

import boto3
import pytest
from moto import mock_aws

from layers.deploy.definition import read_definition
from layers.deploy.queues import queues_template
from layers.deploy.resources import RESOURCES
from layers.deploy.state_machine import FUNCTIONS, PREFIX, deploy_state_machine, state_machine_template
from layers.deploy.template import merge_template
from layers.errors import PackageError
from tests.support.paths import ROOT
from tests.tools.layers.conftest import X86_64

ARNS = {name: f"arn:aws:lambda:eu-west-1:123456789012:function:slimception-prod-{name.lower()}" for name in FUNCTIONS}


@pytest.fixture(scope="module")
def template():
    return state_machine_template(ROOT / RESOURCES, "prod", ARNS)


@pytest.fixture(scope="module")
def definition():
    return read_definition(ROOT / ".chalice/workflow.asl.json")


def test_the_stack_names_functions_by_their_arns(template):
    machine = template["Resources"]["Workflow"]["Properties"]
    assert machine["DefinitionSubstitutions"] == {f"{name}Arn": arn for name, arn in ARNS.items()}
    called = template["Resources"]["WorkflowRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]
    assert called["Resource"] == list(ARNS.values())
    assert set(template["Conditions"]) == {"WithAlarmTopic"}


def test_what_the_definition_leaves_open_is_filled_in(template, definition):
    machine = template["Resources"]["Workflow"]["Properties"]
    assert json.loads(machine["DefinitionString"]) == definition
    assert set(re.findall(r"\$\{(\w+)\}", machine["DefinitionString"])) == set(machine["DefinitionSubstitutions"])


def test_an_alarm_watches_each_way_to_fail(template):
    alarms = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    assert {alarm["MetricName"] for alarm in alarms} == {"ExecutionsFailed", "ExecutionsTimedOut"}
    assert {alarm["Namespace"] for alarm in alarms} == {"AWS/States"}
    assert all(alarm["Dimensions"] == [{"Name": "StateMachineArn", "Value": {"Ref": "Workflow"}}] for alarm in alarms)


def test_each_template_has_it_once(template, definition):
    own = {name for name in template["Resources"] if name.startswith(PREFIX)}
    alarms = {"WorkflowFailedAlarm", "WorkflowTimedOutAlarm"}
    assert own == set(template["Resources"]) == {"Workflow", "WorkflowRole", "WorkflowLog"} | alarms
    assert not own & set(queues_template(ROOT / RESOURCES, "prod")["Resources"])
    merged = merge_template(ROOT / RESOURCES, X86_64, [], "prod")["Resources"]
    assert own <= set(merged)
    assert json.loads(merged["Workflow"]["Properties"]["DefinitionString"]) == definition
    assert merged["Workflow"]["Properties"]["DefinitionSubstitutions"]["PlanArn"] == {"Fn::GetAtt": ["Plan", "Arn"]}


def test_the_role_may_do_no_more_than_it_does(template):
    statements = template["Resources"]["WorkflowRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    wide = [s["Sid"] for s in statements if s["Resource"] == "*"]
    assert wide == ["DeliverLogsWhichTakesNoNarrowerResource"]
    for statement in statements:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in action for action in actions)
        if statement["Sid"] not in (*wide, "CallFunctions"):
            assert "slimception-prod-" in json.dumps(statement["Resource"])


def test_functions_that_are_not_there():
    with mock_aws():
        clients = [boto3.client(name, region_name="eu-west-1") for name in ("cloudformation", "lambda")]
        with pytest.raises(PackageError, match="there is no function slimception-dev-plan: deploy it first"):
            list(deploy_state_machine(*clients, ROOT / RESOURCES, "slimception", "dev"))
        for client in clients:
            client.close()
