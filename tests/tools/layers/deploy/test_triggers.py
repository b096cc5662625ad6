"""The triggers' stack: nothing is wired by default, and each parameter wires one source with its least rights."""

import json
from typing import Any

import pytest

from layers.arguments import TRIGGERS, parser
from layers.deploy.mappings import mappings_template
from layers.deploy.resources import RESOURCES, read_resources
from layers.deploy.triggers import NONE, OPTIONS, PREFIX, deploy_triggers, triggers_template
from localaws.shims.conditions import without_unwanted
from tests.support.paths import ROOT
from tests.support.templates import errors_in

ARNS = {
    "TriggerBucketArn": "arn:aws:s3:::photos",
    "TriggerTopicArn": "arn:aws:sns:eu-west-1:123456789012:t",
    "TriggerEventBusArn": "arn:aws:events:eu-west-1:123456789012:event-bus/default",
    "TriggerStreamArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/s",
    "TriggerTableStreamArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2026-01-01T00:00:00.000",
    "TriggerSchedule": "rate(1 day)",
    "TriggerLexBotAliasArn": "arn:aws:lex:eu-west-1:123456789012:bot-alias/B/A",
}
MADE = {
    "TriggerBucketArn": {"TriggerBucketPermission"},
    "TriggerTopicArn": {"TriggerTopicPermission", "TriggerTopicSubscription"},
    "TriggerEventBusArn": {"TriggerPictureRule", "TriggerPictureRulePermission"},
    "TriggerStreamArn": {"TriggerStreamRights", "TriggerStreamMapping"},
    "TriggerTableStreamArn": {"TriggerTableRights", "TriggerTableMapping"},
    "TriggerSchedule": {"TriggerScheduleRule", "TriggerScheduleRulePermission"},
    "TriggerLexBotAliasArn": {"TriggerLexPermission"},
}
ALWAYS = {"TriggerFailures"}


@pytest.fixture(scope="module")
def template() -> Any:
    return triggers_template(ROOT / RESOURCES, "slimception", "prod")


def made(template: Any, **given: str) -> dict[str, Any]:
    """The resources that a stack with these parameters has."""
    defaults = {name: one["Default"] for name, one in template["Parameters"].items()}
    found: dict[str, Any] = without_unwanted(template, {**defaults, **given})["Resources"]
    return found


def test_nothing_is_wired_by_default(template: Any) -> None:
    assert set(made(template)) == ALWAYS


@pytest.mark.parametrize("parameter", ARNS)
def test_a_parameter_wires_one_source(template: Any, parameter: str) -> None:
    assert set(made(template, **{parameter: ARNS[parameter]})) == ALWAYS | MADE[parameter]


def test_events_of_the_bucket_come_by_the_bus_if_both_are_named(template: Any) -> None:
    both = {name: ARNS[name] for name in ("TriggerBucketArn", "TriggerEventBusArn")}
    more = set(made(template, **both)) - ALWAYS - MADE["TriggerBucketArn"] - MADE["TriggerEventBusArn"]
    assert more == {"TriggerObjectRule", "TriggerObjectRulePermission"}


def test_every_permission_names_its_source_and_a_function(template: Any) -> None:
    found = [one for one in made(template, **ARNS).values() if one["Type"] == "AWS::Lambda::Permission"]
    assert len(found) == 6
    for one in found:
        properties = one["Properties"]
        assert properties["SourceArn"] and properties["Action"] == "lambda:InvokeFunction"
        assert properties["FunctionName"] in ("slimception-prod-intake", "slimception-prod-lex")
        if properties["Principal"] == "s3.amazonaws.com":  # a bucket's ARN has no account
            assert properties["SourceAccount"] == {"Ref": "AWS::AccountId"}


def test_a_stream_may_be_read_and_nothing_else(template: Any) -> None:
    for name, parameter in (
        ("TriggerStreamRights", "TriggerStreamArn"),
        ("TriggerTableRights", "TriggerTableStreamArn"),
    ):
        properties = template["Resources"][name]["Properties"]
        assert properties["Roles"] == ["slimception-prod-intake"]
        for statement in properties["PolicyDocument"]["Statement"]:
            assert parameter in json.dumps(statement["Resource"])
            actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            assert all(action.split(":")[1].startswith(("Get", "Describe", "List")) for action in actions)


@pytest.mark.parametrize("name", ["TriggerStreamMapping", "TriggerTableMapping"])
def test_no_record_blocks_a_shard_for_ever(template: Any, name: str) -> None:
    properties = template["Resources"][name]["Properties"]
    assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert properties["BisectBatchOnFunctionError"] is True
    assert 0 <= properties["MaximumRetryAttempts"] <= 100 and 60 <= properties["MaximumRecordAgeInSeconds"] <= 86400
    dead = {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:slimception-prod-dead-letters"}
    assert properties["DestinationConfig"] == {"OnFailure": {"Destination": dead}}


def test_what_fails_asynchronously_is_kept(template: Any) -> None:
    properties = template["Resources"]["TriggerFailures"]["Properties"]
    assert properties["DestinationConfig"]["OnFailure"]["Destination"]["Fn::Sub"].endswith(
        "slimception-prod-dead-letters"
    )


def test_the_template_is_valid(template: Any) -> None:
    assert errors_in(template) == []


def test_no_other_stack_has_a_trigger() -> None:
    assert not any(
        name.startswith(PREFIX) for name in mappings_template(ROOT / RESOURCES, "slimception", "dev")["Resources"]
    )


def test_every_parameter_has_its_option_and_no_other(template: Any) -> None:
    assert set(OPTIONS) == set(TRIGGERS) and set(OPTIONS.values()) == set(template["Parameters"])
    given = parser().parse_args(["triggers", "--stage", "dev", "--table-stream", NONE, "--lex-bot-alias", "a"])
    assert (given.table_stream, given.lex_bot_alias, given.bucket) == (NONE, "a", None)


def test_a_project_without_triggers_has_no_stack(tmp_path: Any) -> None:
    folder = tmp_path / ".chalice"
    folder.mkdir()
    resources = {name: one for name, one in read_resources(ROOT / RESOURCES)["Resources"].items() if PREFIX not in name}
    (folder / "resources.json").write_text(json.dumps({"Resources": resources}))
    (folder / "config.json").write_text(json.dumps({"app_name": "slimception", "stages": {"dev": {}}}))
    assert list(deploy_triggers(None, folder / "resources.json", "slimception", "dev", {})) == []
