"""Alarms on the functions and the dashboard as a stack, deployed after `chalice deploy`, which makes the functions.

In the packaged template they are resources among the others.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from layers.deploy.cloudformation import Template, resolved, without
from layers.deploy.names import ALARMS, function_names, stack_name
from layers.deploy.queues import queues_template
from layers.deploy.resources import front_at, read_resources
from layers.deploy.stack import deploy_stack
from layers.deploy.state_machine import PREFIX
from layers.deploy.template import API_NAME

WATCHING = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard")


def alarms_template(resources: Path, app_name: str, stage: str) -> Template:
    """The alarms and the dashboard of a stage that other stacks do not have, over what Chalice has named.

    Chalice gives a REST API the app's name in all stages. So its alarm counts those of all stages in account and
    region. The alarm on an HTTP API is in the API's own stack.
    """
    template = read_resources(resources, stage)
    names = function_names(template, app_name, stage, front_at(resources, stage))
    found, made_before = template["Resources"], queues_template(resources, stage)["Resources"]
    watching = {name for name, resource in found.items() if resource.get("Type") in WATCHING}
    own = {name for name in watching - set(made_before) if not name.startswith(PREFIX)}
    return without(resolved(template, {**names, API_NAME: app_name}), set(found) - own)


def deploy_alarms(
    cloudformation: Any, resources: Path, app_name: str, stage: str, parameters: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Create or update the stack and wait for it, with a line on each step; raises PackageError."""
    name = stack_name(app_name, stage, ALARMS)
    yield from deploy_stack(cloudformation, name, alarms_template(resources, app_name, stage), parameters)
