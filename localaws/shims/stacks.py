"""Moto's CloudFormation, given only the resources that it can make, and what a stack retains.

Moto keeps empty entries for resources that it does not support, and its later calls fail on them; so they are removed
first. It knows no RetainExceptOnCreate, which is Retain for whoever never rolls back, and a change set of it does not
take over what exists (`ImportExistingResources`), and makes no outputs.
"""

import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

from moto.cloudformation import parsing
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Stack
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.logs.models import LogGroup, logs_backends
from moto.s3.models import FakeBucket, s3_backends
from moto.stepfunctions.models import StateMachine
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from moto.utilities.utils import get_partition

from localaws.shims.conditions import without_unwanted

RETAIN, EXCEPT_ON_CREATE = "Retain", "RetainExceptOnCreate"


def patches() -> Iterator[Any]:
    """What to enter while stacks are made."""
    for name in ("create_stack", "update_stack"):
        yield mock.patch.object(CloudFormationBackend, name, _with_known(getattr(CloudFormationBackend, name)))
    create = CloudFormationBackend.create_change_set
    yield mock.patch.object(CloudFormationBackend, "create_change_set", _with_defaults(create))
    yield mock.patch.object(Stack, "has_parameters", _has_parameters)
    yield mock.patch.object(ChangeSet, "apply", _with_outputs(ChangeSet.apply))
    yield mock.patch.object(StateMachine, "delete_from_cloudformation_json", staticmethod(_delete_state_machine))
    yield mock.patch.object(LogGroup, "create_from_cloudformation_json", _taking_over(LogGroup, _log_group))
    yield mock.patch.object(LogGroup, "update_from_cloudformation_json", _replaced_log_group)
    yield mock.patch.object(FakeBucket, "create_from_cloudformation_json", _taking_over(FakeBucket, _bucket))
    yield mock.patch.object(Table, "create_from_cloudformation_json", _taking_over(Table, _table))


def _with_known(method: Any) -> Any:
    def call(backend: Any, name: str, template: str, *args: Any, **options: Any) -> Any:
        return method(backend, name, known(template), *args, **options)

    return call


def _with_defaults(create_change_set: Any) -> Any:
    """Moto compares the given parameters alone, and updates whatever refers to one that was a default before."""

    def create(backend: Any, template: str, parameters: dict[str, Any], **options: Any) -> Any:
        declared = json.loads(template).get("Parameters", {})
        given = {name: one["Default"] for name, one in declared.items() if "Default" in one} | parameters
        wanted = json.dumps(without_unwanted(json.loads(known(template)), given))
        return create_change_set(backend, template=wanted, parameters=given, **options)

    return create


def _with_outputs(apply: Any) -> Any:
    """Moto's change sets leave a stack's outputs as they were: none, after the first."""

    def applied(change_set: Any) -> None:
        apply(change_set)
        stack = change_set.stack
        stack.template = change_set.template
        stack._parse_template()
        stack.output_map = stack._create_output_map()

    return applied


def _has_parameters(stack: Any, others: dict[str, Any]) -> bool:
    """Moto remembers those of the first change set."""
    present = stack.stack_parameters
    return set(present) == set(others) and all(str(present[name]) == str(value) for name, value in others.items())


def _taking_over(model: Any, find: Any) -> Any:
    create = model.create_from_cloudformation_json

    def made(resource_name: str, resource: dict[str, Any], account_id: str, region: str, **options: Any) -> Any:
        found = find(account_id, region, resource_name) if resource.get("DeletionPolicy") == RETAIN else None
        return found or create(resource_name, resource, account_id, region, **options)

    return made


def _delete_state_machine(arn: str, resource: Any, account_id: str, region: str) -> None:  # noqa: ARG001
    """From where `state_machines` makes it."""
    stepfunctions_parser_backends[account_id][region].delete_state_machine(arn)


def _replaced_log_group(
    original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
) -> Any:
    """The group of another name in place of the first, which stays. Moto changes none, and then has none."""
    days = cloudformation_json["Properties"].get("RetentionInDays")
    if original_resource.physical_resource_id == new_resource_name:
        original_resource.retention_in_days = days
        return original_resource
    return LogGroup.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)


def _bucket(account_id: str, region: str, name: str) -> Any:
    return s3_backends[account_id][get_partition(region)].buckets.get(name)


def _log_group(account_id: str, region: str, name: str) -> Any:
    return logs_backends[account_id][region].groups.get(name)


def _table(account_id: str, region: str, name: str) -> Any:
    return dynamodb_backends[account_id][region].tables.get(name)


def known(template: str) -> str:
    """A template in JSON without the resources that moto does not support; other text stays as it is."""
    try:
        document = json.loads(template)
        resources = document["Resources"]
    except (ValueError, KeyError, TypeError):
        return template
    kept = {
        name: dict(resource) for name, resource in resources.items() if resource.get("Type") in parsing.get_model_map()
    }
    for resource in kept.values():
        before = resource.get("DependsOn", [])
        resource["DependsOn"] = [name for name in ([before] if isinstance(before, str) else before) if name in kept]
        if resource.get("DeletionPolicy") == EXCEPT_ON_CREATE:
            resource["DeletionPolicy"] = RETAIN
    return json.dumps({**document, "Resources": kept})
