"""A CloudFormation stack: created or updated, and waited for."""

import json
from collections.abc import Iterator
from typing import Any

from layers.deploy.cloudformation import Template
from layers.errors import PackageError

_CHANGED_EVERY_S, _LOOKS = 2, 150


def deploy_stack(cloudformation: Any, name: str, template: Template, **options: Any) -> Iterator[str]:
    """Create or update the stack and wait for it, with a line on each step; raises PackageError."""
    exists = _status(cloudformation, name) is not None
    try:
        call = cloudformation.update_stack if exists else cloudformation.create_stack
        call(StackName=name, TemplateBody=json.dumps(template), **options)
    except cloudformation.exceptions.ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise PackageError(f"stack {name} cannot be made: {error}") from error
        yield f"stack {name} is up to date"
        return
    waiter = cloudformation.get_waiter("stack_update_complete" if exists else "stack_create_complete")
    waiter.wait(StackName=name, WaiterConfig={"Delay": _CHANGED_EVERY_S, "MaxAttempts": _LOOKS})
    yield f"stack {name}: {_status(cloudformation, name)}"


def _status(cloudformation: Any, name: str) -> str | None:
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return None
        raise PackageError(f"stack {name} cannot be read: {error}") from error
    return str(stacks[0]["StackStatus"]) if stacks else None
