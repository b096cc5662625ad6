"""The worker's event source mapping, completed after `chalice deploy`.

Chalice leaves out ReportBatchItemFailures, without which Lambda deletes the messages that a worker returns.
"""

from collections.abc import Iterator
from typing import Any

from layers.errors import PackageError

WORKER = "worker"


def complete_mappings(lambda_client: Any, app_name: str, stage: str, concurrency: int | None = None) -> Iterator[str]:
    """Give the worker's mapping what `chalice deploy` left out; raises PackageError.

    `concurrency` is how many workers run at once; None leaves it as it is.
    """
    function = f"{app_name}-{stage}-{WORKER}"
    options: dict[str, Any] = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
    if concurrency is not None:
        options["ScalingConfig"] = {"MaximumConcurrency": concurrency}
    arn = lambda_client.get_function_configuration(FunctionName=function)["FunctionArn"]
    mappings = lambda_client.list_event_source_mappings(FunctionName=arn)["EventSourceMappings"]
    if not mappings:
        raise PackageError(f"no queue feeds {function}: deploy it first")
    for mapping in mappings:
        lambda_client.update_event_source_mapping(UUID=mapping["UUID"], **options)
        yield f"{mapping['EventSourceArn']} -> {function}: failed messages come again one by one"
