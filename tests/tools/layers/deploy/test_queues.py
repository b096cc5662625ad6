"""The stack of what `chalice deploy` cannot make."""

import json

import pytest

from layers.deploy.queues import queues_template
from layers.deploy.resources import RESOURCES
from layers.deploy.template import merge_template
from tests.support.paths import ROOT
from tests.support.templates import errors_in
from tests.tools.layers.conftest import X86_64, of_each_stage

FUNCTIONS = {"APIHandler", "Worker", "Lister", "Intake", "Lex", "Plan", "Classify", "Report"}


@pytest.fixture(scope="module")
def template():
    return queues_template(ROOT / RESOURCES, "prod")


def test_it_holds_what_needs_no_function(template):
    assert {"Pictures", "Listings", "DeadLetters", "Bucket", "Batches", "DeadLettersAlarm"} <= set(
        template["Resources"]
    )
    assert not set(template["Resources"]) & {*FUNCTIONS, "WorkerErrorsAlarm", "ApiKey", "Domain"}
    assert all("Type" in resource for resource in template["Resources"].values())
    assert "${Stage}" not in json.dumps(template)


def test_it_holds_the_functions_log_groups_so_that_lambda_makes_none_without_a_retention(template):
    groups = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Logs::LogGroup"]
    ends = ("", "-worker", "-lister", "-intake", "-lex", "-plan", "-classify", "-report")
    assert {group["LogGroupName"] for group in groups} == {f"/aws/lambda/slimception-prod{end}" for end in ends}
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups)


def test_it_is_a_template(template):
    assert errors_in(template) == []


def test_the_merged_template_leaves_functions_to_chalice():
    merged = merge_template(ROOT / RESOURCES, X86_64, [], "prod")
    assert {name for name, resource in merged["Resources"].items() if "Type" not in resource} == FUNCTIONS


class TestResources:
    @pytest.mark.parametrize(("queue", "function"), [("Pictures", "worker"), ("Listings", "lister")])
    def test_a_message_is_hidden_six_times_as_long_as_a_function_may_run(self, template, queue, function):
        for timeout_s in of_each_stage(function, "lambda_timeout"):
            assert template["Resources"][queue]["Properties"]["VisibilityTimeout"] >= 6 * timeout_s

    @pytest.mark.parametrize(("queue", "receives"), [("Pictures", 5), ("Listings", 10)])
    def test_so_many_receives_and_then_the_dead_letters(self, template, queue, receives):
        """Each try of a listing goes on from the page where the one before it ended, so that more of them pay.

        A picture that waits for a throttled worker counts a receive, so AWS recommends at least five.
        Source: AWS Lambda developer guide, "Configuring Amazon SQS as an event source".
        """
        policy = template["Resources"][queue]["Properties"]["RedrivePolicy"]
        assert policy == {"deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}, "maxReceiveCount": receives}

    def test_only_incoming_notifies(self, template):
        (notified,) = template["Resources"]["Bucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
        assert notified["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": "incoming/"}]

    @pytest.mark.parametrize("name", ["Bucket", "Batches"])
    def test_what_holds_data_outlives_its_stack_but_not_a_first_creation_that_failed(self, template, name):
        """A bucket that a failed creation leaves behind would make every later one fail: its name is taken."""
        resource = template["Resources"][name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")

    def test_the_table_can_be_restored(self, template):
        assert template["Resources"]["Batches"]["Properties"]["PointInTimeRecoverySpecification"] == {
            "PointInTimeRecoveryEnabled": True
        }

    def test_logs_that_lambda_has_made_already_are_taken_over(self, template):
        """CloudFormation takes over only what it would leave behind; `destroy` deletes them."""
        logs = {name: one for name, one in template["Resources"].items() if one["Type"] == "AWS::Logs::LogGroup"}
        assert len(logs) == len(FUNCTIONS)
        assert {one["DeletionPolicy"] for one in logs.values()} == {"RetainExceptOnCreate"}
        merged = merge_template(ROOT / RESOURCES, X86_64, [], "prod")["Resources"]
        assert {merged[name]["DeletionPolicy"] for name in logs} == {"Delete"}
