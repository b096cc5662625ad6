"""Chalice's record, made true from what an account has: of this stage, and of no other."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from layers.deploy.account import Account
from layers.deploy.record import record_path, write_record
from layers.errors import StageError
from tests.support.account import empty_account

REGION = "us-east-1"
UUID = "14e0db71-4f39-4f5c-a2a1-0d0a2f5d2f6a"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with empty_account(monkeypatch, REGION):
        account = Account(boto3.client, "slimception", "dev")
        yield account


def make_role(aws: Account, name: str) -> str:
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    return str(role["Arn"])


def make_function(aws: Account, name: str, stage: str = "dev", **tags: str) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", "")
    made = aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="app.app",
        Role=make_role(aws, f"role-of-{name}"),
        Code={"ZipFile": packed.getvalue()},
        Tags={"aws-chalice": f"version=1.34.0:stage={stage}:app=slimception", **tags},
    )
    return str(made["FunctionArn"])


def make_api(aws: Account, function: str) -> str:
    gateway = aws.client("apigateway")
    api = gateway.create_rest_api(name="slimception")["id"]
    (root,) = gateway.get_resources(restApiId=api)["items"]
    gateway.put_method(restApiId=api, resourceId=root["id"], httpMethod="GET", authorizationType="NONE")
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"
    gateway.put_integration(
        restApiId=api, resourceId=root["id"], httpMethod="GET", type="AWS_PROXY", uri=uri, integrationHttpMethod="POST"
    )
    return str(api)


def write(aws: Account, project: Path) -> tuple[list[str], list[Any]]:
    lines = list(write_record(aws, project))
    path = record_path(project, "dev")
    return lines, json.loads(path.read_text())["resources"] if path.exists() else []


def test_an_empty_account_has_no_record(aws: Account, project: Path) -> None:
    assert write(aws, project) == ([], [])


def test_what_a_deployment_that_broke_off_has_made_is_found(aws: Account, project: Path) -> None:
    role, arn = make_role(aws, "slimception-dev-worker"), make_function(aws, "slimception-dev-worker")
    api_arn = make_function(aws, "slimception-dev")
    api = make_api(aws, api_arn)
    lines, entries = write(aws, project)
    assert {entry["name"]: entry for entry in entries} == {
        "worker_role": {
            "name": "worker_role",
            "resource_type": "iam_role",
            "role_arn": role,
            "role_name": "slimception-dev-worker",
        },
        "worker": {"name": "worker", "resource_type": "lambda_function", "lambda_arn": arn},
        "api_handler": {"name": "api_handler", "resource_type": "lambda_function", "lambda_arn": api_arn},
        "rest_api": {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": api},
    }
    assert len([line for line in lines if line.startswith("found in the account, and not on record")]) == 4
    assert write(aws, project) == ([], entries), "the second time there is nothing to say"


def test_another_stage_another_app_and_a_stack_are_left_alone(aws: Account, project: Path) -> None:
    other = make_function(aws, "slimception-dev-2", "dev-2")
    make_function(aws, "slimception-dev-2-worker", "dev-2")
    make_function(aws, "slimception-dev-canary", "dev-canary")
    make_function(aws, "slimception-dev-APIHandler-1A", **{"aws:cloudformation:stack-name": "slimception-dev"})
    make_api(aws, other)
    assert write(aws, project) == ([], [])


def test_of_two_apis_the_one_on_record_stays_and_else_the_older(aws: Account, project: Path) -> None:
    arn = make_function(aws, "slimception-dev")
    first, second = make_api(aws, arn), make_api(aws, arn)
    assert set(aws.rest_apis()) == {first, second}
    _, entries = write(aws, project)
    assert entries[-1]["rest_api_id"] == aws.rest_apis()[0]
    path = record_path(project, "dev")
    path.write_text(path.read_text().replace(first, second))
    assert write(aws, project)[1][-1]["rest_api_id"] == second


def test_a_canary_that_the_app_no_longer_has_is_on_record_so_that_chalice_deletes_it(
    aws: Account, project: Path
) -> None:
    make_function(aws, "slimception-dev-canary")
    aws.client("events").put_rule(Name="slimception-dev-canary-event", ScheduleExpression="rate(5 minutes)")
    assert [entry["name"] for entry in write(aws, project)[1]] == ["canary", "canary-event"]


def test_what_is_gone_leaves_the_record_and_what_is_of_another_kind_stays(aws: Account, project: Path) -> None:
    domain = {"name": "domain", "resource_type": "domain_name", "domain_name": "example.com"}
    gone = [
        {"name": "worker", "resource_type": "lambda_function", "lambda_arn": "arn:x"},
        {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "abc"},
        {"name": "worker-sqs-event-source", "resource_type": "sqs_event", "event_uuid": UUID, "lambda_arn": "arn:x"},
    ]
    path = record_path(project, "dev")
    path.parent.mkdir()
    path.write_text(json.dumps({"resources": [*gone, domain], "schema_version": "2.0"}))
    lines, entries = write(aws, project)
    assert entries == [domain]
    assert [line for line in lines if line.startswith("on record, and not in the account")] == [
        f"on record, and not in the account: {name}" for name in (UUID, "abc", "arn:x")
    ]


def test_a_record_that_cannot_be_read_is_named(aws: Account, project: Path) -> None:
    path = record_path(project, "dev")
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(StageError, match=r"dev\.json cannot be read as Chalice's record .*: delete it"):
        list(write_record(aws, project))
