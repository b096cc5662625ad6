"""The stack that `chalice deploy` needs first: queues, table and bucket of .chalice/resources.json, and their alarms.

`chalice package` merges the file into its template. `chalice deploy` knows no templates, and its functions need the
queues to exist.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from layers.deploy.cloudformation import Template, without
from layers.deploy.names import QUEUES, functions_of, stack_name
from layers.deploy.resources import read_resources
from layers.deploy.stack import deploy_stack
from layers.deploy.state_machine import PREFIX


def queues_template(resources: Path, stage: str) -> Template:
    """The resources of a stage that need no function."""
    template = read_resources(resources, stage)
    functions = functions_of(template)
    return without(template, functions | {name for name in template["Resources"] if name.startswith(PREFIX)})


def deploy_queues(
    cloudformation: Any, resources: Path, app_name: str, stage: str, parameters: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Create or update the stack and wait for it, with a line on each step; raises PackageError."""
    name = stack_name(app_name, stage, QUEUES)
    yield from deploy_stack(cloudformation, name, queues_template(resources, stage), parameters)
