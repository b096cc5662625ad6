"""An HTTP API or a function URL as a stack, deployed after `chalice deploy`, which makes its function and no REST API.

In the packaged template it is resources among the others. A REST API is Chalice's own: then there is no such stack.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from layers.deploy.cloudformation import Template, references, resolved, without
from layers.deploy.names import FRONT_STACK, FUNCTION, function_name, stack_name
from layers.deploy.resources import front_at, read_resources
from layers.deploy.routes import Route, with_routes
from layers.deploy.stack import delete_stack, deploy_stack, find_stack
from layers.deploy.stages import FRONT, REST, URL, of_function, read_config
from layers.errors import PackageError

PREFIX = "Front"
"""How the logical ids of what stands before the API's function begin."""
ADDRESS = "EndpointURL"
"""The output that has the API's address."""
ACCESS, OPEN, BOUND, UNBOUNDED = "UrlAccess", "Open", "ReservedConcurrency", "0"
ACCESSES = {"iam": "IAM", "open": OPEN}
"""Parameters of the function URL's template: who may call it, and what bounds those who may."""
_RESERVED = "reserved_concurrency"
"""Chalice's name of the bound, in .chalice/config.json."""


def front_template(resources: Path, stage: str, arn: str, routes: Sequence[Route]) -> Template:
    """The front's resources of a stage, over the function of this ARN, with a route of an HTTP API for each route."""
    values = {FUNCTION: arn.rpartition(":")[2], f"{FUNCTION}.Arn": arn}
    template: Template = with_routes(resolved(read_resources(resources, stage), values), routes)
    found = template["Resources"]
    own = {name for name in found if name.startswith(PREFIX)}
    of_others = {name for name, resource in found.items() if name not in own and not references(resource) & own}
    return without(template, of_others)


def deploy_front(
    client: Any, project: Path, resources: Path, app_name: str, stage: str, routes: Any, given: Mapping[str, str]
) -> Iterator[str]:
    """Create or update the stack and wait for it, with a line on each step; raises PackageError.

    `client` makes a boto3 client of a service, `routes` gives the routes of the app, `given` are values of the stack's
    parameters. For a REST API the stack of a front that the stage had before is deleted.
    """
    cloudformation, name = client("cloudformation"), stack_name(app_name, stage, FRONT_STACK)
    front = front_at(resources, stage)
    if front == REST:
        if find_stack(cloudformation, name):
            yield from delete_stack(cloudformation, name)
            yield f"stack {name}: deleted, since FRONT is {REST}"
        return
    parameters = dict(given)
    if front == URL:
        parameters |= _bounded(cloudformation, name, read_config(project, stage), stage, given)
    arn = _arn(client("lambda"), function_name(app_name, stage, FRONT))
    template = front_template(resources, stage, arn, routes())
    known = {key: value for key, value in parameters.items() if key in template["Parameters"]}
    yield from deploy_stack(cloudformation, name, template, known)
    yield f"API: {address(cloudformation, app_name, stage)}"


def address(cloudformation: Any, app_name: str, stage: str) -> str | None:
    """The address of a stage's HTTP API or function URL; None if it has none."""
    stack = find_stack(cloudformation, stack_name(app_name, stage, FRONT_STACK)) or {}
    outputs = {one["OutputKey"]: str(one["OutputValue"]) for one in stack.get("Outputs", [])}
    return outputs.get(ADDRESS)


def _bounded(
    cloudformation: Any, name: str, config: dict[str, Any], stage: str, given: Mapping[str, str]
) -> dict[str, str]:
    """The bound of an open function URL, as .chalice/config.json has it; raises PackageError if it has none."""
    reserved = str(of_function(config, stage, FRONT, _RESERVED) or UNBOUNDED)
    before = {one["ParameterKey"]: one["ParameterValue"] for one in _parameters(cloudformation, name)}
    if given.get(ACCESS, before.get(ACCESS)) == OPEN and reserved == UNBOUNDED:
        raise PackageError(
            f"an open function URL has no throttle, and stage {stage} no {_RESERVED}: set it in .chalice/config.json, "
            "or give --access iam, or take FRONT=http, which has a throttle"
        )
    return {BOUND: reserved}


def _parameters(cloudformation: Any, name: str) -> list[dict[str, str]]:
    return list((find_stack(cloudformation, name) or {}).get("Parameters", []))


def _arn(lambda_client: Any, function: str) -> str:
    try:
        return str(lambda_client.get_function_configuration(FunctionName=function)["FunctionArn"])
    except lambda_client.exceptions.ResourceNotFoundException as error:
        raise PackageError(f"there is no function {function}: deploy it first") from error
