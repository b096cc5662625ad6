"""A CloudFormation stack: cut out of the whole template, created or updated, waited for, told of."""

import json
from collections.abc import Iterator
from typing import Any

from layers.deploy.resources import Template
from layers.errors import PackageError

_CHANGED_EVERY_S, _LOOKS = 2, 150


def cut_out(template: Template, resources: Template, stage: str) -> Template:
    """The template of a stage with these resources alone, and the conditions, parameters and outputs that go with them.

    CloudFormation refuses what refers to nothing.
    """
    text = json.dumps(resources)
    conditions = {name: c for name, c in template.get("Conditions", {}).items() if f'"{name}"' in text}
    used = text + json.dumps(conditions)
    parameters = {
        name: p for name, p in template.get("Parameters", {}).items() if f'"{name}"' in used or f"${{{name}}}" in used
    }
    parameters["Stage"]["Default"] = stage
    outputs = {name: o for name, o in template.get("Outputs", {}).items() if o["Value"]["Ref"] in resources}
    cut = {"Parameters": parameters, "Conditions": conditions, "Resources": resources}
    return {**cut, "Outputs": outputs} if outputs else cut


def deploy_stack(cloudformation: Any, name: str, template: Template, **options: Any) -> Iterator[str]:
    """Create or update the stack, wait for it, tell of it; raises PackageError."""
    exists = _status(cloudformation, name) is not None
    try:
        call = cloudformation.update_stack if exists else cloudformation.create_stack
        call(StackName=name, TemplateBody=json.dumps(template), **options)
    except cloudformation.exceptions.ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise PackageError(f"stack {name} cannot be made: {error}") from error
        yield f"stack {name} is as it should be"
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
        raise PackageError(f"stack {name} cannot be looked at: {error}") from error
    return str(stacks[0]["StackStatus"]) if stacks else None
