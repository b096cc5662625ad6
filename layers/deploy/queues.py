"""The stack that `chalice deploy` needs first: queues, table, bucket, logs of .chalice/resources.json, and alarms.

`chalice package` merges the file into its template. `chalice deploy` knows no templates, and its functions need the
queues to exist.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from layers.deploy.cloudformation import Template, without
from layers.deploy.front import PREFIX as FRONT_PREFIX
from layers.deploy.names import QUEUES, functions_of, stack_name
from layers.deploy.resources import read_resources
from layers.deploy.stack import deploy_stack
from layers.deploy.state_machine import PREFIX

LOG_GROUP = "AWS::Logs::LogGroup"


def queues_template(resources: Path, stage: str) -> Template:
    """The resources of a stage that need no function.

    The functions' logs may be there already, made by Lambda for an earlier release. CloudFormation takes over only what
    it would also leave behind. In the packaged template, where nobody takes over, they are deleted with the stack.
    """
    template = read_resources(resources, stage)
    functions = functions_of(template)
    others = (PREFIX, FRONT_PREFIX)
    made = without(template, functions | {name for name in template["Resources"] if name.startswith(others)})
    for resource in made["Resources"].values():
        if resource["Type"] == LOG_GROUP:
            resource |= {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
    return made


def deploy_queues(
    cloudformation: Any, resources: Path, app_name: str, stage: str, parameters: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Create or update the stack and wait for it, with a line on each step; raises PackageError."""
    name = stack_name(app_name, stage, QUEUES)
    yield from deploy_stack(cloudformation, name, queues_template(resources, stage), parameters)
