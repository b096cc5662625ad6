"""Alarms on the functions and the dashboard, a stack of its own after `chalice deploy`, whose functions it names.

In the packaged template they are resources among the others.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from layers.deploy.queues import queues_template
from layers.deploy.resources import Template, read_resources
from layers.deploy.stack import cut_out, deploy_stack
from layers.deploy.state_machine import PREFIX
from layers.deploy.template import FUNCTION

WATCHING = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard")


def alarms_template(resources: Path, app_name: str, stage: str) -> Template:
    """What watches the functions of a stage, which are named as Chalice names them."""
    template = read_resources(resources)
    found, made_before = template["Resources"], queues_template(resources, stage)["Resources"]
    names = {name: f"{app_name}-{stage}" for name, resource in found.items() if "Type" not in resource}
    names = {name: text if name == FUNCTION else f"{text}-{name.lower()}" for name, text in names.items()}
    text = json.dumps(
        {
            name: resource
            for name, resource in found.items()
            if resource.get("Type") in WATCHING and name not in made_before and not name.startswith(PREFIX)
        }
    )
    for name, function in names.items():
        text = text.replace(json.dumps({"Ref": name}), json.dumps(function))
        text = re.sub(rf"\$\{{{name}\}}", function, text)
    return cut_out(template, json.loads(text), stage)


def deploy_alarms(cloudformation: Any, resources: Path, app_name: str, stage: str) -> Iterator[str]:
    """Create or update the stack, wait for it, tell of it; raises PackageError."""
    template = alarms_template(resources, app_name, stage)
    yield from deploy_stack(cloudformation, f"{app_name}-{stage}-watching", template)
