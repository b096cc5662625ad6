"""Alarms on functions and the dashboard, as their own stack after `chalice deploy`."""

import json

import boto3
import pytest
from moto import mock_aws

from layers.deploy.alarms import WATCHING, alarms_template, deploy_alarms
from layers.deploy.queues import queues_template
from layers.deploy.resources import RESOURCES
from layers.deploy.template import merge_template
from tests.support.paths import ROOT
from tests.support.templates import errors_in
from tests.tools.layers.conftest import X86_64


@pytest.fixture(scope="module")
def template():
    return alarms_template(ROOT / RESOURCES, "slimception", "prod")


def test_together_with_the_queues_stack_it_watches_all_that_the_packaged_template_does(template):
    merged = merge_template(ROOT / RESOURCES, X86_64, [], "prod")["Resources"]
    watched = {name for name, r in merged.items() if r.get("Type") in WATCHING and not name.startswith("Workflow")}
    before = {
        name for name, r in queues_template(ROOT / RESOURCES, "prod")["Resources"].items() if r["Type"] in WATCHING
    }
    assert set(template["Resources"]) == watched - before
    assert "Dashboard" in template["Resources"] and before


def test_it_names_the_functions_as_chalice_does(template):
    resources = template["Resources"]
    assert resources["FaultsAlarm"]["Properties"]["Namespace"] == "Slimception/slimception-prod"
    dimensions = {
        r["Properties"]["Dimensions"][0]["Value"]
        for r in resources.values()
        if r["Properties"].get("Namespace") == "AWS/Lambda"
    }
    assert {"slimception-prod", "slimception-prod-worker", "slimception-prod-lister"} <= dimensions
    dashboard = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert "slimception-prod-worker" in dashboard and "APIHandler" not in dashboard
    assert json.loads(dashboard)["widgets"]


def test_it_names_the_api_as_chalice_does(template):
    name, _ = template["Resources"]["ServerErrorsAlarm"]["Properties"]["Dimensions"]
    assert name == {"Name": "ApiName", "Value": "slimception"}


def test_it_is_a_template(template):
    assert errors_in(template) == []


@pytest.mark.filterwarnings("ignore:Tried to parse AWS..CloudWatch")  # moto makes a stack, and no alarms in it
def test_it_is_deployed_twice_and_stays_one():
    with mock_aws():
        client = boto3.client("cloudformation", region_name="us-east-1")
        said = [*deploy(client), *deploy(client)]
        assert len(said) == 2 and all("slimception-dev-watching" in line for line in said)
        assert len(client.list_stacks()["StackSummaries"]) == 1


def deploy(client):
    return deploy_alarms(client, ROOT / RESOURCES, "slimception", "dev")
