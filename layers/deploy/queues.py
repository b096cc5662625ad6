"""The stack that `chalice deploy` needs first: queues, table and bucket of .chalice/resources.json, and their alarms.

`chalice package` merges the file into its template. `chalice deploy` knows no templates, and its functions need the
queues to exist.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from layers.deploy.cloudformation import Template, without
from layers.deploy.resources import read_resources
from layers.deploy.stack import deploy_stack
from layers.deploy.state_machine import PREFIX


def queues_template(resources: Path, stage: str) -> Template:
    """The resources of a stage that need no function."""
    template = read_resources(resources, stage)
    functions = functions_of(template)
    return without(template, functions | {name for name in template["Resources"] if name.startswith(PREFIX)})


def functions_of(template: Template) -> set[str]:
    """The logical ids of Chalice's functions: resources.json adds to them and does not give their type."""
    return {name for name, resource in template["Resources"].items() if "Type" not in resource}


def deploy_queues(cloudformation: Any, resources: Path, app_name: str, stage: str) -> Iterator[str]:
    """Create or update the stack and wait for it, with a line on each step; raises PackageError."""
    yield from deploy_stack(cloudformation, f"{app_name}-{stage}-batch", queues_template(resources, stage))
