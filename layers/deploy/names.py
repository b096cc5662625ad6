"""Names of what a stage has in an account, as Chalice and this project choose them."""

from layers.deploy.cloudformation import Template
from layers.deploy.stages import API_HANDLER, api_function

FUNCTION = "APIHandler"
"""The logical id of the function behind the API, as Chalice gives it to that of a REST API."""


def functions_of(template: Template) -> set[str]:
    """The logical ids of Chalice's functions: resources.json adds to them and does not give their type."""
    return {name for name, resource in template["Resources"].items() if "Type" not in resource}


def function_names(template: Template, app_name: str, stage: str, front: str) -> dict[str, str]:
    """Logical id to name in the account, of each function; that of the API has another name behind another front."""
    return {
        name: function_name(app_name, stage, api_function(front) if name == FUNCTION else name.lower())
        for name in functions_of(template)
    }


def function_name(app_name: str, stage: str, function: str) -> str:
    """The name in the account of what Chalice calls `function`; a REST API's has no ending."""
    return f"{app_name}-{stage}" if function == API_HANDLER else f"{app_name}-{stage}-{function}"


def role_name(app_name: str, stage: str, function: str) -> str:
    """The name of a function's role."""
    return f"{app_name}-{stage}-{function}"


def stack_name(app_name: str, stage: str, part: str) -> str:
    """The name of one of a stage's stacks."""
    return f"{app_name}-{stage}-{part}"


QUEUES, MAPPINGS, TRIGGERS, FRONT_STACK, WORKFLOW = "batch", "mappings", "triggers", "front", "workflow"
ALARMS, BUDGET = "watching", "budget"
"""The stacks of a stage, in the order in which they are made. `batch` and `watching` are names of the first release:
other ones would make everything twice."""
