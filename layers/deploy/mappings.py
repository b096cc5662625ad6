"""The event source mappings through which the queues feed worker and lister, as a stack after `chalice deploy`.

In the packaged template they are resources among the others. Chalice could make mappings, too, but leaves out
ReportBatchItemFailures, without which Lambda deletes the messages that a worker returns.

Their logical ids are those that SAM gave to the mappings of earlier releases (function and event, in one word). With
others, an update of a packaged stack would make a second mapping before it deletes the first, which Lambda refuses.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from layers.deploy.cloudformation import SUB, Template, Value, references, resolved, text_of, without
from layers.deploy.names import MAPPINGS, function_names, stack_name
from layers.deploy.resources import front_at, read_resources
from layers.deploy.stack import LOOK_EVERY_S, deploy_stack, find_stack
from layers.errors import PackageError

MAPPING, QUEUE = "AWS::Lambda::EventSourceMapping", "AWS::SQS::Queue"
_LOOKS = 90


def mappings_template(resources: Path, app_name: str, stage: str) -> Template:
    """The mappings of a stage, over functions named as Chalice does and the queues of another stack."""
    template = read_resources(resources, stage)
    found = template["Resources"]
    values: dict[str, Value] = {**function_names(template, app_name, stage, front_at(resources, stage))}
    values |= {f"{name}.Arn": queue_arn(one) for name, one in found.items() if one.get("Type") == QUEUE}
    own = {
        name: resolved(one, values)
        for name, one in found.items()
        if one.get("Type") == MAPPING and queues_feed(one, found)
    }
    return without({**template, "Resources": own, "Outputs": {}}, set())


def queues_feed(mapping: Template, resources: Template) -> bool:
    """Whether a mapping's source is a queue of the template, and not what a user names for a trigger."""
    return any(
        resources.get(name, {}).get("Type") == QUEUE for name in references(mapping["Properties"]["EventSourceArn"])
    )


def deploy_mappings(
    cloudformation: Any, lambda_client: Any, resources: Path, app_name: str, stage: str, concurrency: int | None = None
) -> Iterator[str]:
    """Create or update the stack and wait for it, with a line on each step; raises PackageError.

    Mappings of these functions that the stack does not have are deleted first: releases before this one left them to
    Chalice, and AWS refuses a second mapping of a queue to a function. Messages wait in the queue meanwhile.
    `concurrency` is how many workers run at once; None leaves it as it is.
    """
    stack = stack_name(app_name, stage, MAPPINGS)
    template = mappings_template(resources, app_name, stage)
    if not template["Resources"]:
        return
    own = mappings_of(cloudformation, stack)
    for function in sorted({one["Properties"]["FunctionName"] for one in template["Resources"].values()}):
        yield from delete_others(lambda_client, function, own)
    yield from deploy_stack(
        cloudformation, stack, template, {} if concurrency is None else {"MaximumConcurrency": str(concurrency)}
    )


def delete_others(lambda_client: Any, function: str, own: set[str]) -> Iterator[str]:
    """Delete what feeds a function but for these mappings, and wait until Lambda has forgotten it.

    Yields a line on each; raises PackageError. `function` is a name or an ARN.
    """
    for look in range(_LOOKS):
        others = [one for one in mappings_into(lambda_client, function) if one["UUID"] not in own]
        if not others:
            return
        for one in others:
            if look == 0:
                yield f"{one['EventSourceArn']} -> {function}: a mapping of an earlier release is deleted"
            _delete(lambda_client, one)
        time.sleep(LOOK_EVERY_S)
    raise PackageError(f"{function}: a mapping that was deleted is still there: run the same command again")


def mappings_into(lambda_client: Any, function: str) -> list[dict[str, Any]]:
    """The mappings that feed a function, also those of which Lambda is getting rid; raises PackageError."""
    try:
        arn = lambda_client.get_function_configuration(FunctionName=function)["FunctionArn"]
    except lambda_client.exceptions.ResourceNotFoundException as error:
        raise PackageError(f"there is no function {function}: deploy it first") from error
    return list(lambda_client.list_event_source_mappings(FunctionName=arn)["EventSourceMappings"])


def _delete(lambda_client: Any, mapping: dict[str, Any]) -> None:
    """Delete a mapping, unless it is changing at the moment, or gone."""
    refused = lambda_client.exceptions
    if mapping.get("State") != "Deleting":
        with suppress(refused.ResourceInUseException, refused.ResourceNotFoundException):
            lambda_client.delete_event_source_mapping(UUID=mapping["UUID"])


def mappings_of(cloudformation: Any, stack: str) -> set[str]:
    """The UUIDs of the mappings that the stack has."""
    if find_stack(cloudformation, stack) is None:
        return set()
    parts = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return {part.get("PhysicalResourceId", "") for part in parts if part["ResourceType"] == MAPPING}


def queue_arn(queue: Template) -> Any:
    """The ARN of a queue of the template, by its name."""
    name = text_of(queue["Properties"]["QueueName"])
    return {SUB: f"arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:{name}"}
