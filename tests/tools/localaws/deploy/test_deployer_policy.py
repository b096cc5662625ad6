"""docs/deployer-policy.json grants what deploying and deleting call, recorded here, and what the stacks make."""

import json
import re
import sys
from fnmatch import fnmatchcase
from typing import Any

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
METHODS = {"Import": "POST", "Create": "POST", "Put": "PUT", "Update": "PATCH", "Get": "GET", "Delete": "DELETE"}
"""API Gateway's rights are called by HTTP's methods."""
RIGHTS = {
    "s3 HeadBucket": "s3:ListBucket",
    "s3 ListObjectVersions": "s3:ListBucketVersions",
    "s3 DeleteObjects": "s3:DeleteObjectVersion",
}
"""Calls whose right has another name (S3 user guide, "Required permissions for Amazon S3 API operations")."""
NEEDS_NO_RIGHT = {"sts GetCallerIdentity"}
MADE_BY_SAM = {
    *("AWS::Lambda::Function", "AWS::Lambda::Version", "AWS::Lambda::Alias", "AWS::Lambda::Permission"),
    *("AWS::Lambda::LayerVersion", "AWS::IAM::Role", "AWS::Events::Rule"),
    *("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage"),
}
"""What the packaged template has besides resources.json's."""
OPTIONAL = {"AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup", "AWS::Budgets::Budget"}
"""What a parameter of the packaged template, or a command, makes besides resources.json's."""
OF_OPTIONS_NOT_USED = {
    **dict.fromkeys(("amplify:*", "apprunner:*", "appsync:*", "bedrock-agentcore:*", "cognito-idp:*"), "other fronts"),
    **dict.fromkeys(("elasticloadbalancing:*", "ec2:*"), "other fronts"),
    **dict.fromkeys(("iam:*GroupPolicy", "iam:*UserPolicy"), "policies of users and groups"),
    "kms:*": "keys of the customer",
    "wafv2:*PermissionPolicy": "a web ACL of another account",
    "codedeploy:RegisterOnPremisesInstance": "servers",
    "s3:getObject": "a document of an HTTP API in a bucket",
    "billing:GetBillingViewData": "a budget of a part of the bill",
}
OF_PROPERTIES_NOT_USED = {
    "kms:*": "keys of the customer",
    "ec2:*": "functions in a VPC",
    "elasticfilesystem:*": "file systems",
    "s3files:*": "file systems",
    "lambda:*ProvisionedConcurrencyConfig": "provisioned concurrency",
    "lambda:PutRuntimeManagementConfig": "a pinned runtime",
    "lambda:PutFunctionScalingConfig": "capacity providers",
    "lambda:PassCapacityProvider": "capacity providers",
    "lambda:AssociateRuntimeAlias": "a runtime alias",
    "lambda:*FunctionCodeSigningConfig": "signed code",
    "codedeploy:*": "gradual deployment",
    "apigateway:UpdateRestApiPolicy": "a policy of the API",
    "dynamodb:*ContributorInsights": "contributor insights",
    "dynamodb:*KinesisStreamingDestination": "streams",
    "kinesis:*": "streams",
    "dynamodb:ImportTable": "a table from a bucket",
    "dynamodb:*ResourcePolicy": "a policy of the table",
    "dynamodb:*TableReplica": "replicas, as are the items' actions that follow",
    "dynamodb:Scan": "replicas",
    "dynamodb:*Item": "replicas",
    "iam:CreateServiceLinkedRole": "replicas",
    "logs:CreateLogStream": "the import of a table",
    "logs:DescribeLogStreams": "the import of a table",
    "logs:PutLogEvents": "the import of a table",
    "s3:GetObjectMetadata": "the import of a table",
    "iam:AttachRolePolicy": "managed policies",
    "iam:*PermissionsBoundary": "a boundary",
    "logs:PutDataProtectionPolicy": "masked logs",
    "logs:*IndexPolicy": "indexed logs",
    "logs:PutBearerTokenAuthentication": "bearer tokens",
    "logs:*ssociateKmsKey": "keys of the customer",
    "logs:DeleteResourcePolicy": "a policy of the log",
    "logs:PutLogGroupDeletionProtection": "protection from deletion",
    "s3:REST.PUT.OBJECT": "masked logs",
    "firehose:*": "masked logs",
    "s3tables:*": "a metadata table",
    "s3:*BucketMetadata*": "a metadata table",
    "s3:*BucketAbac": "access by tags",
    "s3:*Analytics*": "analytics",
    "s3:*EncryptionConfiguration": "another encryption than S3's own",
    "s3:DeleteBucketEncryption": "another encryption than S3's own",
    "s3:*BucketC[Oo][Rr][Ss]": "CORS of the bucket",
    "s3:*Inventory*": "inventories",
    "s3:*Metrics*": "request metrics",
    "s3:*Replication*": "replication",
    "s3:*BucketWebsite": "a website",
    "s3:PutAccelerateConfiguration": "acceleration",
    "s3:Put*Acl": "access lists",
    "s3:*ObjectLock*": "object lock",
    "s3:PutBucketLogging": "access logs",
    "s3:PutBucketOwnershipControls": "access lists",
    "s3:PutIntelligentTieringConfiguration": "tiering",
    "s3:DeleteBucketLifecycle": "lifecycle rules that a later template takes away",
}
"""What CloudFormation calls for properties that no template of the project sets."""


def policy(name: str = "deployer-policy.json") -> list[dict[str, Any]]:
    content = json.loads((PROJECT / "docs" / name).read_text(encoding="utf-8"))
    return list(content["Statement"])


def as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def granted() -> list[str]:
    return [name for statement in policy() for name in as_list(statement["Action"])]


def is_granted(action: str) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in granted())


def action(call: str) -> str:
    if call in RIGHTS:
        return RIGHTS[call]
    service, operation = call.split()
    if service == "apigateway":
        operation = METHODS[re.match("[A-Z][a-z]+", operation)[0]]
    return f"{service}:{operation}"


@pytest.fixture(scope="module")
def calls(cloud, tmp_path_factory) -> set[str]:
    """What deploying, deploying again, deleting, and deleting the data, too, call."""
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
        destroy = [sys.executable, "-m", "layers", "destroy", "--stage", "dev", "--project", str(copied)]
        for options in (["--yes"], ["--yes", "--data"]):
            deployer._run("layers destroy", [*destroy, *options], PROJECT)
    return set((place / "calls.txt").read_text().splitlines())


def test_every_call_is_granted(calls):
    assert {
        "lambda CreateFunction",
        "lambda UpdateFunctionCode",
        "iam DeleteRole",
        "cloudformation ExecuteChangeSet",
        "s3 DeleteBucket",
    } <= calls
    assert [call for call in sorted(calls - NEEDS_NO_RIGHT) if not is_granted(action(call))] == []


def test_publishing_layers_is_granted():
    source = (PROJECT / "layers" / "deploy" / "layer_store.py").read_text(encoding="utf-8")
    named = set(re.findall(r'self\._lambda\.(?:get_paginator\(")?([a-z_]+layer[a-z_]+)', source))
    assert len(named) == 4
    for method in named:
        assert is_granted("lambda:" + "".join(word.capitalize() for word in method.split("_")))


def handler_rights(kind: str) -> set[str]:
    """What CloudFormation calls for a resource, with the rights of whoever deploys: in the type's own schema."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema.get("handlers", {})
    return {
        name
        for verb in ("create", "read", "update", "delete")
        for name in handlers.get(verb, {}).get("permissions", [])
    }


def kinds(optional: bool = False) -> set[str]:
    """Types of the stacks' resources: those that are always made, or those that a parameter asks for."""
    resources, rest = resources_of("resources.json"), resources_of("fronts/rest.json")
    found = {r["Type"] for r in (*resources, *rest) if "Type" in r and ("Condition" in r) is optional}
    others = {r["Type"] for front in ("http", "url") for r in resources_of(f"fronts/{front}.json")}
    return found | (OPTIONAL | others | {"AWS::ApiGatewayV2::Route"} if optional else MADE_BY_SAM)


def resources_of(name: str) -> list[dict[str, Any]]:
    content = json.loads((PROJECT / ".chalice" / name).read_text(encoding="utf-8"))
    return list(content["Resources"].values())


def test_what_cloudformation_calls_for_the_stacks_is_granted():
    """Both ways of deploying; the schemas are those that CloudFormation publishes and cfn-lint has."""
    needed = {name for kind in kinds() for name in handler_rights(kind)}
    missing = {name for name in needed if not is_granted(name)}
    unused = {name for name in missing if any(fnmatchcase(name, pattern) for pattern in OF_PROPERTIES_NOT_USED)}
    assert sorted(missing - unused) == []
    idle = [pattern for pattern in OF_PROPERTIES_NOT_USED if not any(fnmatchcase(name, pattern) for name in missing)]
    assert idle == [], "patterns that excuse nothing"


def test_what_it_calls_for_options_is_granted_by_a_policy_in_addition():
    both = [*policy(), *policy("deployer-options-policy.json")]
    patterns = [*OF_OPTIONS_NOT_USED, *(name for statement in both for name in as_list(statement["Action"]))]
    needed = {name for kind in kinds(optional=True) - kinds() for name in handler_rights(kind)}
    assert {"codedeploy:CreateDeploymentGroup", "apigateway:POST", "lambda:CreateFunctionUrlConfig"} <= needed
    assert [name for name in sorted(needed) if not any(fnmatchcase(name, pattern) for pattern in patterns)] == []


def test_tags_that_cloudformation_sets_are_allowed_where_their_services_look():
    """`aws:cloudformation:stack-name` of an API and of a mapping is a call with an ARN of another form."""
    resources = [text for statement in policy() for text in as_list(statement["Resource"])]
    assert any(fnmatchcase("arn:aws:apigateway:eu-west-1::/tags/arn%3Aaws%3A", one) for one in resources)
    mapping = "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:1"
    allowed = [s for s in policy() if any(fnmatchcase(mapping, one) and one != "*" for one in as_list(s["Resource"]))]
    assert any("lambda:TagResource" in statement["Action"] for statement in allowed)
