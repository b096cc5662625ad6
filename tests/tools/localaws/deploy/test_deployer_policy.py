"""docs/deployer-policy.json grants what deploying and deleting call, recorded here, and what the stacks make."""

import json
import re
import sys
from fnmatch import fnmatchcase

import pytest

from layers.pythons import own
from localaws.deploy import project
from localaws.deploy.deployer import PROJECT, Deployer

RECORDER = """
import os
import botocore.client

call = botocore.client.BaseClient._make_api_call

def recorded(self, operation, parameters):
    with open(os.environ["RECORDED_CALLS"], "a") as file:
        print(self.meta.service_model.service_name, operation, file=file)
    return call(self, operation, parameters)

botocore.client.BaseClient._make_api_call = recorded
"""
CHALICE_DELETE = (sys.executable, "-c", "from chalice.cli import main; main()", "delete")
METHODS = {"Import": "POST", "Create": "POST", "Put": "PUT", "Update": "PATCH", "Get": "GET", "Delete": "DELETE"}
"""API Gateway's rights are called by HTTP's methods."""
OF_STACKS = {
    "AWS::SQS::Queue": ("sqs:CreateQueue", "sqs:DeleteQueue"),
    "AWS::SQS::QueuePolicy": ("sqs:SetQueueAttributes",),
    "AWS::S3::BucketPolicy": ("s3:PutBucketPolicy", "s3:DeleteBucketPolicy"),
    "AWS::Events::Rule": ("events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:DeleteRule"),
    "AWS::S3::Bucket": ("s3:CreateBucket", "s3:PutBucketNotification", "s3:PutLifecycleConfiguration"),
    "AWS::DynamoDB::Table": ("dynamodb:CreateTable", "dynamodb:UpdateTimeToLive", "dynamodb:DeleteTable"),
    "AWS::CloudWatch::Alarm": ("cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
    "AWS::CloudWatch::Dashboard": ("cloudwatch:PutDashboard", "cloudwatch:DeleteDashboards"),
    "AWS::Logs::LogGroup": ("logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:DeleteLogGroup"),
    "AWS::IAM::Role": ("iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRole", "iam:PassRole"),
    "AWS::StepFunctions::StateMachine": ("states:CreateStateMachine", "states:DeleteStateMachine"),
}
"""CloudFormation makes what a stack holds with the rights of whoever deploys it."""


OF_OPTIONS = {
    "AWS::ApiGateway::ApiKey": ("apigateway:POST", "apigateway:DELETE"),
    "AWS::ApiGateway::UsagePlan": ("apigateway:POST", "apigateway:PATCH"),
    "AWS::ApiGateway::UsagePlanKey": ("apigateway:POST",),
    "AWS::ApiGateway::DomainName": ("apigateway:POST", "apigateway:PATCH"),
    "AWS::ApiGateway::BasePathMapping": ("apigateway:POST",),
    "AWS::WAFv2::WebACLAssociation": ("wafv2:AssociateWebACL", "wafv2:GetWebACLForResource", "apigateway:SetWebACL"),
    "AWS::CodeDeploy::DeploymentGroup": ("codedeploy:CreateDeploymentGroup", "iam:AttachRolePolicy", "iam:PassRole"),
    "AWS::Budgets::Budget": ("budgets:ModifyBudget", "budgets:ViewBudget"),
}
"""What is made only if somebody asks for it, with the rights of a second policy."""


def granted(policy: str = "deployer-policy.json") -> list[str]:
    statements = json.loads((PROJECT / "docs" / policy).read_text(encoding="utf-8"))["Statement"]
    actions = [statement["Action"] for statement in statements]
    return [name for some in actions for name in ([some] if isinstance(some, str) else some)]


def is_granted(action: str, policy: str = "deployer-policy.json") -> bool:
    return any(fnmatchcase(action, pattern) for pattern in granted(policy))


def action(call: str) -> str:
    service, operation = call.split()
    if service == "apigateway":
        operation = METHODS[re.match("[A-Z][a-z]+", operation)[0]]
    return f"{service}:{operation}"


@pytest.fixture(scope="module")
def calls(cloud, tmp_path_factory) -> set[str]:
    """What deploying, deploying again and deleting call."""
    place = tmp_path_factory.mktemp("recorded")
    (place / "sitecustomize.py").write_text(RECORDER)
    source = project.copy(PROJECT, place / "project")
    deployer = Deployer(cloud, own(), source, say=lambda line: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(place))
        patch.setenv("RECORDED_CALLS", str(place / "calls.txt"))
        for _ in range(2):
            deployer.deploy(with_layers=False)
        copied = cloud.host.folder / "project" / "dev"
        deployer._run("chalice delete", [*CHALICE_DELETE, "--stage", "dev"], copied)
    return set((place / "calls.txt").read_text().splitlines())


def test_every_call_is_granted(calls):
    assert {
        "lambda CreateFunction",
        "lambda UpdateFunctionCode",
        "iam DeleteRole",
        "cloudformation CreateStack",
    } <= calls
    assert [call for call in sorted(calls) if not is_granted(action(call))] == []


def test_publishing_layers_is_granted():
    source = (PROJECT / "layers" / "deploy" / "layer_store.py").read_text(encoding="utf-8")
    named = set(re.findall(r'self\._lambda\.(?:get_paginator\(")?([a-z_]+layer[a-z_]+)', source))
    assert len(named) == 4
    for method in named:
        assert is_granted("lambda:" + "".join(word.capitalize() for word in method.split("_")))


def test_what_the_stacks_make_is_granted():
    resources = json.loads((PROJECT / ".chalice" / "resources.json").read_text(encoding="utf-8"))["Resources"]
    kinds = {resource["Type"] for resource in resources.values() if "Type" in resource}
    optional = {resource["Type"] for resource in resources.values() if "Condition" in resource}
    assert optional < set(OF_OPTIONS)
    for kind, names in OF_OPTIONS.items():
        assert all(is_granted(name, "deployer-options-policy.json") for name in names), kind
    for kind in kinds - optional:
        assert all(is_granted(name) for name in OF_STACKS[kind]), kind
