"""What `chalice deploy` cannot make: queues, table, bucket and alarms of .chalice/resources.json, as a stack.

`chalice package` merges the file into its template; `chalice deploy` knows no templates, yet its functions need the
queues to be there before, and what it makes of their mappings lacks ReportBatchItemFailures, without which Lambda
deletes the messages that a worker hands back.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from layers.deploy.resources import Template, read_resources
from layers.deploy.stack import cut_out, deploy_stack
from layers.deploy.state_machine import PREFIX
from layers.errors import PackageError

WORKER = "Worker"


def queues_template(resources: Path, stage: str) -> Template:
    """The resources that need no function."""
    template = read_resources(resources)
    found = template["Resources"]
    functions = "|".join(name for name, resource in found.items() if "Type" not in resource)
    of_functions = re.compile(rf'"(?:Ref|Fn::GetAtt)": \[?"(?:{functions})"|\$\{{(?:{functions})[.}}]')
    kept = {
        name: resource
        for name, resource in found.items()
        if "Type" in resource and not name.startswith(PREFIX) and not of_functions.search(json.dumps(resource))
    }
    return cut_out(template, kept, stage)


def deploy_queues(cloudformation: Any, resources: Path, app_name: str, stage: str) -> Iterator[str]:
    """Create or update the stack, wait for it, tell of it; raises PackageError."""
    yield from deploy_stack(cloudformation, f"{app_name}-{stage}-batch", queues_template(resources, stage))


def complete_mappings(lambda_client: Any, app_name: str, stage: str, concurrency: int | None = None) -> Iterator[str]:
    """Give the worker's mapping what `chalice deploy` left out; raises PackageError."""
    function = f"{app_name}-{stage}-{WORKER.lower()}"
    options: dict[str, Any] = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
    if concurrency is not None:
        options["ScalingConfig"] = {"MaximumConcurrency": concurrency}
    arn = lambda_client.get_function_configuration(FunctionName=function)["FunctionArn"]
    mappings = lambda_client.list_event_source_mappings(FunctionName=arn)["EventSourceMappings"]
    if not mappings:
        raise PackageError(f"{function} is fed by no queue: deploy it first")
    for mapping in mappings:
        lambda_client.update_event_source_mapping(UUID=mapping["UUID"], **options)
        yield f"{mapping['EventSourceArn']} -> {function}: failed messages come again one by one"


def client(service: str) -> Any:
    """A boto3 client of the default session."""
    import boto3

    return boto3.client(service)
