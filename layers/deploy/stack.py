"""A CloudFormation stack: created or changed by a change set, waited for, deleted.

A change set can take over what exists (`ImportExistingResources`), which CreateStack and UpdateStack cannot. So a
bucket that a deleted stack has left behind comes into the new one with all that it holds.

Sources: AWS CloudFormation user guide, "Stack status codes", "Import AWS resources into a CloudFormation stack
automatically"; API reference, "CreateChangeSet".
"""

import json
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from layers.deploy.cloudformation import Template
from layers.errors import PackageError

LOOK_EVERY_S = 2.0
_LOOKS = 450
_DEPLOYED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
_HOLDS_NOTHING = ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS")
"""A first creation that failed, or was never executed: such a stack can only be deleted."""
_CAN_BE_CHANGED = (*_DEPLOYED, "UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE")
_WAY_OUT = {"UPDATE_ROLLBACK_FAILED": "continue-update-rollback", "UPDATE_FAILED": "rollback-stack"}
"""The command for a stack in this state; for every other one that is not listed above it is delete-stack."""
_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS")
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")
_HINTS = {
    "QueueDeletedRecently": "wait for a minute, since SQS makes no queue whose name was deleted in the last 60 seconds",
    "wait 60 seconds": "wait for a minute, since SQS makes no queue whose name was deleted in the last 60 seconds",
    "already exists": "another stack or somebody by hand has made that: delete it there, or choose another stage",
}


def deploy_stack(
    cloudformation: Any,
    name: str,
    template: Template,
    parameters: Mapping[str, str] | None = None,
    **options: Any,
) -> Iterator[str]:
    """Create or change the stack and wait for it, with a line on each step; raises PackageError.

    A parameter that is not given keeps the value that the stack has. What exists under the name of a retained
    resource is taken over. A stack whose first creation failed is deleted first; one that somebody else is changing
    is waited for.
    """
    stack = yield from _settled(cloudformation, name)
    if stack and stack["StackStatus"] in _HOLDS_NOTHING:
        yield f"stack {name} is {stack['StackStatus']}, and holds nothing: it is deleted and made again"
        yield from delete_stack(cloudformation, name)
        stack = None
    if stack and stack["StackStatus"] not in _CAN_BE_CHANGED:
        raise PackageError(_stuck(cloudformation, name, stack["StackStatus"]))
    change_set = _change_set(cloudformation, name, stack, template, parameters or {}, options)
    if change_set is None:
        yield f"stack {name} is up to date"
        return
    cloudformation.execute_change_set(StackName=name, ChangeSetName=change_set)
    status = _status_after(cloudformation, name)
    if status not in _DEPLOYED:
        raise PackageError(_failed(cloudformation, name, status))
    yield f"stack {name}: {status}"


def delete_stack(cloudformation: Any, name: str) -> Iterator[str]:
    """Delete a stack and wait until it is gone, with a line if somebody else is changing it; raises PackageError.

    Nothing happens if there is none.
    """
    if (yield from _settled(cloudformation, name)) is None:
        return
    cloudformation.delete_stack(StackName=name)
    status = _status_after(cloudformation, name)
    if status is not None:
        raise PackageError(_failed(cloudformation, name, status))


def find_stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """What CloudFormation says of the stack; None if there is none. Raises PackageError."""
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return None
        raise PackageError(f"stack {name} cannot be read: {error}") from error
    return dict(stacks[0]) if stacks else None


def _settled(cloudformation: Any, name: str) -> Generator[str, None, dict[str, Any] | None]:
    """Give the stack when nobody changes it any more, None if there is none; with a line while it waits."""
    stack = find_stack(cloudformation, name)
    if stack and _changes(stack["StackStatus"]):
        yield f"stack {name} is {stack['StackStatus']}, by another command: waiting for its end"
        _status_after(cloudformation, name)
        stack = find_stack(cloudformation, name)
    return stack


def _status_after(cloudformation: Any, name: str) -> str | None:
    """The status in which the running operation ends; None if the stack is gone then. Raises PackageError."""
    for _ in range(_LOOKS):
        stack = find_stack(cloudformation, name)
        status = str(stack["StackStatus"]) if stack else None
        if status is None or not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(LOOK_EVERY_S)
    minutes = _LOOKS * LOOK_EVERY_S / 60
    raise PackageError(
        f"stack {name} is still {status} after {minutes:.0f} minutes: run the same command again, it waits"
    )


def _changes(status: str) -> bool:
    """Whether somebody is changing the stack; REVIEW_IN_PROGRESS is a stack that waits for a first change set."""
    return status.endswith("_IN_PROGRESS") and status not in _HOLDS_NOTHING


def _change_set(
    cloudformation: Any,
    name: str,
    stack: Mapping[str, Any] | None,
    template: Template,
    parameters: Mapping[str, str],
    options: Mapping[str, Any],
) -> str | None:
    """The ARN of a change set that can be executed; None if there is nothing to change. Raises PackageError."""
    try:
        made = cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=f"deploy-{time.time_ns()}",
            ChangeSetType="UPDATE" if stack else "CREATE",
            TemplateBody=json.dumps(template),
            Parameters=_parameters(template, parameters, stack),
            ImportExistingResources=True,
            **options,
        )
    except cloudformation.exceptions.ClientError as error:
        if any(text in str(error) for text in _UNCHANGED):
            return None
        raise PackageError(f"stack {name} cannot be made: {error}") from error
    arn = str(made["Id"])
    for _ in range(_LOOKS):
        found = cloudformation.describe_change_set(StackName=name, ChangeSetName=arn)
        if not found["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
            break
        time.sleep(LOOK_EVERY_S)
    if found["Status"] == "CREATE_COMPLETE":
        return arn
    cloudformation.delete_change_set(StackName=name, ChangeSetName=arn)
    reason = str(found.get("StatusReason", found["Status"]))
    if any(text in reason for text in _UNCHANGED):
        return None
    raise PackageError(f"stack {name} cannot be made: {_with_hint(reason)}")


def _parameters(
    template: Template, given: Mapping[str, str], stack: Mapping[str, Any] | None
) -> list[dict[str, str | bool]]:
    """The given values of the template's parameters, and of the others those that the stack has."""
    before = {one["ParameterKey"] for one in (stack or {}).get("Parameters", [])}
    return [
        {"ParameterKey": name, "ParameterValue": given[name]}
        if name in given
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name in template.get("Parameters", {})
        if name in given or name in before
    ]


def _stuck(cloudformation: Any, name: str, status: str) -> str:
    command = f"aws cloudformation {_WAY_OUT.get(status, 'delete-stack')} --stack-name {name}"
    return f"stack {name} is {status} and takes no change ({_causes(cloudformation, name)}): `{command}`, then again"


def _failed(cloudformation: Any, name: str, status: str | None) -> str:
    causes = _causes(cloudformation, name)
    return f"stack {name} is {status}: {_with_hint(causes)}; mend that and run the same command again"


def _causes(cloudformation: Any, name: str) -> str:
    """What failed in the last operation, the first failure first."""
    found = []
    for event in cloudformation.describe_stack_events(StackName=name)["StackEvents"]:  # the newest is the first
        of_stack = event.get("PhysicalResourceId") == event["StackId"]
        if of_stack and event["ResourceStatus"] in _BEGINNINGS:
            break
        reason = event.get("ResourceStatusReason", "no reason stated")
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
            found.append(f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}")
    return "; ".join(reversed(found)) or "no failed event"


def _with_hint(causes: str) -> str:
    hints = list(dict.fromkeys(hint for text, hint in _HINTS.items() if text in causes))
    return "; ".join([causes, *hints])
