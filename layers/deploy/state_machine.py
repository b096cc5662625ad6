"""The state machine as a stack, deployed after `chalice deploy`, which makes its functions but no state machines.

In the packaged template it is one resource among the others.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from layers.deploy.cloudformation import Template, resolved, without
from layers.deploy.names import WORKFLOW, function_name, stack_name
from layers.deploy.resources import read_resources
from layers.deploy.stack import deploy_stack
from layers.errors import PackageError

PREFIX = "Workflow"
"""How the logical ids of the state machine, and of everything that it alone needs, begin."""
FUNCTIONS = ("Plan", "Classify", "Report")


def state_machine_template(resources: Path, stage: str, arns: Mapping[str, str]) -> Template:
    """The state machine's resources of a stage, over existing functions: logical id to ARN."""
    template: Template = resolved(read_resources(resources, stage), {f"{name}.Arn": arn for name, arn in arns.items()})
    return without(template, {name for name in template["Resources"] if not name.startswith(PREFIX)})


def deploy_state_machine(
    cloudformation: Any,
    lambda_client: Any,
    resources: Path,
    app_name: str,
    stage: str,
    parameters: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Create or update the stack and wait for it, with a line on each step; raises PackageError.

    Does nothing for a project without a workflow.
    """
    if PREFIX not in read_resources(resources)["Resources"]:
        return
    arns = {name: _arn(lambda_client, function_name(app_name, stage, name.lower())) for name in FUNCTIONS}
    template = state_machine_template(resources, stage, arns)
    name = stack_name(app_name, stage, WORKFLOW)
    yield from deploy_stack(cloudformation, name, template, parameters, Capabilities=["CAPABILITY_IAM"])


def _arn(lambda_client: Any, function: str) -> str:
    try:
        return str(lambda_client.get_function_configuration(FunctionName=function)["FunctionArn"])
    except lambda_client.exceptions.ResourceNotFoundException as error:
        raise PackageError(f"there is no function {function}: deploy it first") from error
