"""The bundle in S3 that the parameter `ModelUri` of the packaged stack names: variable, /tmp and rights of functions.

The rights are those of the policies' templates, with the parameter in place of the stage's MODEL_URI.
"""

from collections.abc import Set
from typing import Any

from layers.deploy.cloudformation import REF, SUB, Template
from layers.deploy.policies import MODEL_URI
from layers.deploy.stages import API_HANDLER

_IF, _NOTHING = "Fn::If", {REF: "AWS::NoValue"}
_PARAMETER, _CONDITION, _TMP = "ModelUri", "WithModelUri", "TmpMegabytes"
_APP = "app"
"""The handler `app.app` is the API's; that of every other function is called as the function."""
_SID = "ReadModel"


def with_remote_model(template: Template, readers: Set[str], model_uri: str) -> Template:
    """The template whose functions take the bundle from its parameter; its default is the stage's `model_uri`.

    `readers` are Chalice's names of the functions that may read it.
    """
    resources = dict(template["Resources"])
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            resources[name] = {**resource, "Properties": _function(properties)}
            handler = properties["Handler"].rpartition(".")[2]
            if (API_HANDLER if handler == _APP else handler) in readers:
                role = properties["Role"]["Fn::GetAtt"][0]
                resources[role] = _role(resources[role])
    default = f"{model_uri.rstrip('/')}/" if model_uri else ""
    parameter = {**template["Parameters"][_PARAMETER], "Default": default}
    return {**template, "Parameters": {**template["Parameters"], _PARAMETER: parameter}, "Resources": resources}


def _function(properties: Template) -> Template:
    environment = properties.get("Environment", {})
    uri = {_IF: [_CONDITION, {REF: _PARAMETER}, _NOTHING]}
    variables = {**environment.get("Variables", {}), MODEL_URI: uri}
    return {
        **properties,
        "EphemeralStorage": {"Size": {REF: _TMP}},
        "Environment": {**environment, "Variables": variables},
    }


def _role(role: Template) -> Template:
    policies = [
        {**policy, "PolicyDocument": _policy(policy["PolicyDocument"])} for policy in role["Properties"]["Policies"]
    ]
    return {**role, "Properties": {**role["Properties"], "Policies": policies}}


def _policy(document: Template) -> Template:
    others = [one for one in document["Statement"] if one.get("Sid") != _SID]
    return {**document, "Statement": [*others, {_IF: [_CONDITION, _statement(), _NOTHING]}]}


def _statement() -> dict[str, Any]:
    bundle = {"Fn::Select": [1, {"Fn::Split": ["s3://", {REF: _PARAMETER}]}]}
    return {
        "Sid": _SID,
        "Effect": "Allow",
        "Action": ["s3:GetObject"],
        "Resource": {SUB: ["arn:${AWS::Partition}:s3:::${Bundle}*", {"Bundle": bundle}]},
        "Condition": {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}},
    }
