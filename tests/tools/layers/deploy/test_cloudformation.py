"""A template as a tree: what it refers to, values in place of references, parts left out."""

import json
from typing import Any

import pytest

from layers.deploy.cloudformation import references, resolved, without


@pytest.mark.parametrize(
    ("node", "names"),
    [
        ({"Ref": "Queue"}, {"Queue"}),
        ({"Ref": "AWS::Region"}, set()),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, {"Queue"}),
        ({"Fn::GetAtt": "Queue.Arn"}, {"Queue"}),
        ({"Fn::GetAtt": ["Stack", "Outputs.Name"]}, {"Stack"}),
        ({"Fn::Sub": "${Queue} ${Topic.Arn} ${AWS::Region} ${!Literal}"}, {"Queue", "Topic"}),
        ({"Fn::Sub": ["${Own} ${Queue}", {"Own": {"Ref": "Topic"}}]}, {"Queue", "Topic"}),
        ({"DependsOn": "Queue"}, {"Queue"}),
        ({"DependsOn": ["Queue", "Topic"]}, {"Queue", "Topic"}),
        ({"Condition": "Large", "Type": "AWS::SQS::Queue"}, {"Large"}),
        ({"Fn::If": ["Large", {"Ref": "Queue"}, {"Ref": "AWS::NoValue"}]}, {"Large", "Queue"}),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "Account"}}}}, {"Account"}),
        ({"Name": "Queue", "Text": "${Queue} of a definition"}, set()),
        ([{"Deep": [{"Ref": "Queue"}]}, None, 3, True], {"Queue"}),
    ],
)
def test_references(node: Any, names: set[str]) -> None:
    assert references(node) == names


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"Ref": "Queue"}, "the-queue"),
        ({"Ref": "Other"}, {"Ref": "Other"}),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:of:it"),
        ({"Fn::GetAtt": "Queue.Arn"}, "arn:of:it"),
        ({"Fn::GetAtt": ["Queue", "QueueName"]}, {"Fn::GetAtt": ["Queue", "QueueName"]}),
        ({"Fn::Sub": "${Queue}/${Queue.Arn}/${Stage}"}, {"Fn::Sub": "the-queue/arn:of:it/${Stage}"}),
        ({"Fn::Sub": "${!Queue} ${Queues}"}, {"Fn::Sub": "${!Queue} ${Queues}"}),
        (
            {"Fn::Sub": ["${Queue} ${Alias}", {"Queue": {"Ref": "Queue"}}]},
            {"Fn::Sub": ["${Queue} ${Renamed}", {"Queue": "the-queue"}]},
        ),
        ({"Fn::Sub": "${Alias}"}, {"Fn::Sub": "${Renamed}"}),
        ({"Ref": "Alias"}, {"Ref": "Renamed"}),
        ({"Queue": ["Queue", {"Ref": "Queue"}]}, {"Queue": ["Queue", "the-queue"]}),
    ],
)
def test_resolved(node: Any, expected: Any) -> None:
    before = json.dumps(node)
    assert resolved(node, {"Queue": "the-queue", "Queue.Arn": "arn:of:it", "Alias": {"Ref": "Renamed"}}) == expected
    assert json.dumps(node) == before, "the node itself stays"


TEMPLATE = {
    "Parameters": {"Size": {"Type": "Number"}, "Stage": {"Type": "String"}, "Topic": {"Type": "String"}},
    "Conditions": {"Large": {"Fn::Equals": [{"Ref": "Size"}, 9]}, "Small": {"Fn::Not": [{"Condition": "Large"}]}},
    "Resources": {
        "Function": {"Properties": {"Name": {"Ref": "Topic"}}},
        "Alarm": {"Properties": {"Of": {"Ref": "Function"}}},
        "Dashboard": {"DependsOn": "Alarm"},
        "Queue": {"Condition": "Large", "Properties": {"Name": {"Fn::Sub": "q-${Stage}"}}},
    },
    "Outputs": {"Name": {"Value": {"Ref": "Queue"}}, "Arn": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}}},
}


def test_without_takes_what_refers_to_it_and_what_is_not_used_then() -> None:
    assert without(TEMPLATE, {"Function"}) == {
        "Parameters": {"Size": {"Type": "Number"}, "Stage": {"Type": "String"}},
        "Conditions": {"Large": {"Fn::Equals": [{"Ref": "Size"}, 9]}},
        "Resources": {"Queue": TEMPLATE["Resources"]["Queue"]},
        "Outputs": {"Name": {"Value": {"Ref": "Queue"}}},
    }


def test_without_keeps_each_condition_that_a_kept_condition_names() -> None:
    conditions = {
        "Both": {"Fn::And": [{"Condition": "Large"}, {"Condition": "Quick"}]},
        "Large": {"Fn::Equals": [{"Ref": "Size"}, 9]},
        "Quick": {"Fn::Not": [{"Condition": "Slow"}]},
        "Slow": {"Fn::Equals": [{"Ref": "Speed"}, 1]},
        "Unused": {"Fn::Equals": [{"Ref": "Colour"}, 1]},
    }
    template = {
        "Parameters": {name: {"Type": "Number"} for name in ("Colour", "Size", "Speed")},
        "Conditions": conditions,
        "Resources": {"Queue": {"Condition": "Both"}, "Topic": {"Condition": "Unused"}},
    }
    assert without(template, {"Topic"}) == {
        "Parameters": {name: {"Type": "Number"} for name in ("Size", "Speed")},
        "Conditions": {name: condition for name, condition in conditions.items() if name != "Unused"},
        "Resources": {"Queue": {"Condition": "Both"}},
    }


def test_without_keeps_what_only_a_kept_output_uses() -> None:
    template = {
        "Parameters": {"Size": {"Type": "Number"}, "Stage": {"Type": "String"}},
        "Conditions": {"Large": {"Fn::Equals": [{"Ref": "Size"}, 9]}},
        "Resources": {"Queue": {}, "Topic": {}},
        "Outputs": {"Url": {"Condition": "Large", "Value": {"Fn::Sub": "${Queue}/${Stage}"}}},
    }
    assert without(template, {"Topic"}) == {**template, "Resources": {"Queue": {}}}


def test_without_leaves_out_what_refers_to_a_name_that_is_not_in_the_template() -> None:
    template = {
        "Resources": {
            "Queue": {},
            "Alarm": {"Of": {"Ref": "MadeByChalice"}},
            "Dashboard": {"DependsOn": "Alarm"},
        },
        "Outputs": {"Url": {"Value": {"Ref": "RestAPI"}}, "Name": {"Value": {"Ref": "Queue"}}},
    }
    assert without(template, set()) == {
        "Parameters": {},
        "Conditions": {},
        "Resources": {"Queue": {}},
        "Outputs": {"Name": {"Value": {"Ref": "Queue"}}},
    }


def test_without_nothing_keeps_all_resources() -> None:
    assert without(TEMPLATE, set())["Resources"] == TEMPLATE["Resources"]
    assert "Outputs" not in without(TEMPLATE, set(TEMPLATE["Resources"]))
