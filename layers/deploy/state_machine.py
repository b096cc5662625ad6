"""The state machine after `chalice deploy`, which makes its functions and knows no state machines: a stack of its own.

In the packaged template it is one resource among the others.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from layers.deploy.resources import Template, read_resources
from layers.deploy.stack import cut_out, deploy_stack
from layers.errors import PackageError

PREFIX = "Workflow"
"""What the logical ids of the state machine and of all that it alone needs begin with."""
FUNCTIONS = ("Plan", "Classify", "Report")


def state_machine_template(resources: Path, stage: str, arns: dict[str, str]) -> Template:
    """The state machine's resources of a stage, over functions that are there: logical id to ARN."""
    template = read_resources(resources)
    text = json.dumps({name: r for name, r in template["Resources"].items() if name.startswith(PREFIX)})
    for name, arn in arns.items():
        text = text.replace(json.dumps({"Fn::GetAtt": [name, "Arn"]}), json.dumps(arn))
    return cut_out(template, json.loads(text), stage)


def deploy_state_machine(
    cloudformation: Any, lambda_client: Any, resources: Path, app_name: str, stage: str
) -> Iterator[str]:
    """Create or update the stack, wait for it, tell of it; raises PackageError. Nothing where there is no workflow."""
    if PREFIX not in read_resources(resources)["Resources"]:
        return
    arns = {name: _arn(lambda_client, f"{app_name}-{stage}-{name.lower()}") for name in FUNCTIONS}
    template = state_machine_template(resources, stage, arns)
    yield from deploy_stack(cloudformation, f"{app_name}-{stage}-workflow", template, Capabilities=["CAPABILITY_IAM"])


def _arn(lambda_client: Any, function: str) -> str:
    try:
        return str(lambda_client.get_function_configuration(FunctionName=function)["FunctionArn"])
    except lambda_client.exceptions.ResourceNotFoundException as error:
        raise PackageError(f"there is no function {function}: deploy it first") from error
