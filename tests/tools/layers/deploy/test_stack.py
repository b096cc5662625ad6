"""A stack in each of CloudFormation's states: what is done about it, and what is said."""
# ruff: noqa: N803 - boto3's arguments

import json
from types import SimpleNamespace
from typing import Any

import pytest

from layers.deploy import stack
from layers.deploy.stack import delete_stack, deploy_stack
from layers.errors import PackageError

NAME = "slimception-dev-batch"
TEMPLATE = {
    "Parameters": {"Stage": {"Default": "dev"}, "AlarmTopicArn": {"Default": ""}},
    "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
}


class ClientError(Exception):
    pass


class CloudFormation:
    """One stack, whose operations end as the test says; notes what it is asked to do."""

    def __init__(self, status: str | None = None, parameters: tuple[str, ...] = (), then: tuple[str, ...] = ()):
        self.exceptions = SimpleNamespace(ClientError=ClientError)
        self.status, self.parameters, self.then = status, parameters, list(then)
        self.change_set = {"Status": "CREATE_COMPLETE"}
        self.asked: list[Any] = []
        self.events: list[dict[str, str]] = []

    def describe_stacks(self, StackName: str) -> Any:
        if self.status is None:
            raise ClientError(f"Stack with id {StackName} does not exist")
        answer = {"StackStatus": self.status, "Parameters": [{"ParameterKey": one} for one in self.parameters]}
        if self.then:
            self._next()
        return {"Stacks": [answer]}

    def _next(self) -> None:
        following = self.then.pop(0)
        self.status = None if following == "gone" else following

    def create_change_set(self, **given: Any) -> Any:
        self.asked.append((given["ChangeSetType"], given["Parameters"], given["ImportExistingResources"]))
        assert json.loads(given["TemplateBody"]) == TEMPLATE
        return {"Id": "arn"}

    def describe_change_set(self, StackName: str, ChangeSetName: str) -> Any:
        return self.change_set

    def delete_change_set(self, StackName: str, ChangeSetName: str) -> None:
        self.asked.append("delete change set")

    def execute_change_set(self, StackName: str, ChangeSetName: str) -> None:
        self.asked.append("execute")
        self._next()

    def delete_stack(self, StackName: str) -> None:
        self.asked.append("delete")
        self._next()

    def describe_stack_events(self, StackName: str) -> Any:
        return {"StackEvents": self.events}


def failed(logical_id: str, reason: str, status: str = "CREATE_FAILED") -> dict[str, str]:
    return {
        "StackId": "id",
        "PhysicalResourceId": "",
        "LogicalResourceId": logical_id,
        "ResourceType": "AWS::SQS::Queue",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


BEGINNING = {
    "StackId": "id",
    "PhysicalResourceId": "id",
    "LogicalResourceId": NAME,
    "ResourceStatus": "CREATE_IN_PROGRESS",
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "LOOK_EVERY_S", 0)


def deploy(client: CloudFormation, **parameters: str) -> list[str]:
    return list(deploy_stack(client, NAME, TEMPLATE, parameters))


def test_a_first_stack_takes_over_what_exists() -> None:
    client = CloudFormation(then=("CREATE_IN_PROGRESS", "CREATE_COMPLETE"))
    assert deploy(client) == [f"stack {NAME}: CREATE_COMPLETE"]
    assert client.asked == [("CREATE", [], True), "execute"]


def test_a_parameter_that_is_not_given_keeps_its_value() -> None:
    client = CloudFormation("UPDATE_COMPLETE", ("Stage", "AlarmTopicArn", "Gone"), ("UPDATE_COMPLETE",) * 3)
    deploy(client)
    kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in ("Stage", "AlarmTopicArn")]
    assert client.asked[0] == ("UPDATE", kept, True)


def test_a_parameter_that_is_given_and_one_that_is_new() -> None:
    client = CloudFormation("UPDATE_COMPLETE", ("Stage",), ("UPDATE_COMPLETE",) * 3)
    deploy(client, AlarmTopicArn="arn", Unknown="x")
    _, parameters, _ = client.asked[0]
    assert parameters == [
        {"ParameterKey": "Stage", "UsePreviousValue": True},
        {"ParameterKey": "AlarmTopicArn", "ParameterValue": "arn"},
    ]


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_holds_nothing_is_deleted_and_made_again(status: str) -> None:
    client = CloudFormation(status)
    client.then = [status, "DELETE_IN_PROGRESS", "gone", "CREATE_COMPLETE"]
    lines = deploy(client)
    assert lines == [
        f"stack {NAME} is {status}, and holds nothing: it is deleted and made again",
        f"stack {NAME}: CREATE_COMPLETE",
    ]
    assert client.asked == ["delete", ("CREATE", [], True), "execute"]


def test_a_stack_that_another_command_is_changing_is_waited_for() -> None:
    client = CloudFormation("UPDATE_IN_PROGRESS")
    client.then = ["UPDATE_IN_PROGRESS", *("UPDATE_ROLLBACK_COMPLETE",) * 3, "UPDATE_COMPLETE"]
    first, second = deploy(client)
    assert first == f"stack {NAME} is UPDATE_IN_PROGRESS, by another command: waiting for its end"
    assert second == f"stack {NAME}: UPDATE_COMPLETE"


def test_waiting_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "_LOOKS", 3)
    with pytest.raises(PackageError, match=r"is still UPDATE_IN_PROGRESS after .* run the same command again"):
        deploy(CloudFormation("UPDATE_IN_PROGRESS"))


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("UPDATE_FAILED", "rollback-stack"),
        *((status, "delete-stack") for status in ("CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED")),
    ],
)
def test_a_stack_that_takes_no_change_says_which_command_helps(status: str, command: str) -> None:
    client = CloudFormation(status)
    client.events = [failed("Bucket", "not empty", "DELETE_FAILED"), BEGINNING]
    with pytest.raises(PackageError) as raised:
        deploy(client)
    assert f"`aws cloudformation {command} --stack-name {NAME}`" in str(raised.value)
    assert "Bucket (AWS::SQS::Queue): not empty" in str(raised.value)
    assert client.asked == []


def test_what_failed_is_shown_the_first_cause_first_and_of_the_last_operation_alone() -> None:
    client = CloudFormation(then=("ROLLBACK_COMPLETE",))
    client.events = [
        failed("Listings", "Resource creation cancelled"),
        failed("Pictures", "no right"),
        failed("DeadLetters", "limit reached"),
        BEGINNING,
        failed("Older", "long ago"),
    ]
    with pytest.raises(PackageError) as raised:
        deploy(client)
    assert str(raised.value) == (
        f"stack {NAME} is ROLLBACK_COMPLETE: DeadLetters (AWS::SQS::Queue): limit reached; "
        "Pictures (AWS::SQS::Queue): no right; mend that and run the same command again"
    )


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("AWS.SimpleQueueService.QueueDeletedRecently", "wait for a minute"),
        ("You must wait 60 seconds after deleting a queue", "wait for a minute"),
        ("slimception-dev-pictures already exists", "another stack or somebody by hand"),
    ],
)
def test_a_known_cause_says_what_helps(reason: str, hint: str) -> None:
    client = CloudFormation(then=("ROLLBACK_COMPLETE",))
    client.events = [failed("Pictures", reason), BEGINNING]
    with pytest.raises(PackageError, match=hint):
        deploy(client)


def test_a_change_set_without_changes() -> None:
    client = CloudFormation("CREATE_COMPLETE")
    client.change_set = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes. Submit"}
    assert deploy(client) == [f"stack {NAME} is up to date"]
    assert client.asked[1:] == ["delete change set"]


def test_a_change_set_that_cannot_be_made() -> None:
    client = CloudFormation()
    client.change_set = {"Status": "FAILED", "StatusReason": "Bucket belongs to another stack"}
    with pytest.raises(PackageError, match=f"stack {NAME} cannot be made: Bucket belongs to another stack"):
        deploy(client)


def test_a_stack_is_deleted_and_waited_for() -> None:
    client = CloudFormation("CREATE_COMPLETE")
    client.then = ["CREATE_COMPLETE", "DELETE_IN_PROGRESS", "gone"]
    assert list(delete_stack(client, NAME)) == [] and client.asked == ["delete"]
    assert list(delete_stack(client, NAME)) == [] and client.asked == ["delete"]


def test_a_stack_that_cannot_be_deleted() -> None:
    client = CloudFormation("CREATE_COMPLETE")
    client.then = ["CREATE_COMPLETE", "DELETE_FAILED"]
    client.events = [failed("Bucket", "not empty", "DELETE_FAILED"), BEGINNING]
    with pytest.raises(PackageError, match=r"is DELETE_FAILED: Bucket .*not empty"):
        list(delete_stack(client, NAME))
