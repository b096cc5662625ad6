"""What calls the functions intake and lex, as a stack after `chalice deploy`; each part by a parameter.

In the packaged template they are resources among the others. The rights to read a stream are a separate policy, which
intake's role has only while the stream is wired: Chalice leaves other policies of a role as they are.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from layers.deploy.cloudformation import SUB, Template, Value, resolved, without
from layers.deploy.mappings import QUEUE, queue_arn
from layers.deploy.names import TRIGGERS, function_names, role_name, stack_name
from layers.deploy.resources import front_at, read_resources
from layers.deploy.stack import deploy_stack

PREFIX = "Trigger"
"""How the logical ids of the triggers' resources begin."""
FUNCTION, ROLE = "intake", "IntakeRole"
"""Chalice's name of the function, and the logical id that it gives to the role in a package."""
OPTIONS = {
    "bucket": "TriggerBucketArn",
    "topic": "TriggerTopicArn",
    "event_bus": "TriggerEventBusArn",
    "stream": "TriggerStreamArn",
    "table_stream": "TriggerTableStreamArn",
    "schedule": "TriggerSchedule",
    "schedule_source": "TriggerScheduleSource",
    "schedule_model": "TriggerScheduleModel",
    "lex_bot_alias": "TriggerLexBotAliasArn",
}
"""Each option of the command, and its parameter."""
NONE = "none"
"""The value of an option that takes a trigger away."""


def triggers_template(resources: Path, app_name: str, stage: str) -> Template:
    """The triggers of a stage, over functions and roles named as Chalice does and the queues of another stack."""
    template = read_resources(resources, stage)
    found, names = template["Resources"], function_names(template, app_name, stage, front_at(resources, stage))
    values: dict[str, Value] = {**names, ROLE: role_name(app_name, stage, FUNCTION)}
    values |= {f"{name}.Arn": _function_arn(function) for name, function in names.items()}
    values |= {f"{name}.Arn": queue_arn(one) for name, one in found.items() if one.get("Type") == QUEUE}
    own = {name: resolved(one, values) for name, one in found.items() if name.startswith(PREFIX)}
    return without({**template, "Resources": own, "Outputs": {}}, set())


def deploy_triggers(
    cloudformation: Any, resources: Path, app_name: str, stage: str, given: Mapping[str, str | None]
) -> Iterator[str]:
    """Create or update the stack and wait for it, with a line on each step; raises PackageError.

    `given` has values by the names of OPTIONS; None leaves a parameter as the stack has it, NONE empties it.
    """
    template = triggers_template(resources, app_name, stage)
    if not template["Resources"]:
        return
    values = {OPTIONS[name]: "" if value == NONE else value for name, value in given.items() if value is not None}
    name = stack_name(app_name, stage, TRIGGERS)
    yield from deploy_stack(cloudformation, name, template, values, Capabilities=["CAPABILITY_IAM"])


def _function_arn(name: str) -> dict[str, str]:
    return {SUB: f"arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:{name}"}
