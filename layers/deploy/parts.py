"""What `chalice deploy`, `publish` and Lambda itself make of a stage, as parts that can be deleted."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from layers.deploy.account import Account
from layers.deploy.mappings import delete_others, mappings_into
from layers.deploy.names import function_name


class Part(NamedTuple):
    """Something in the account; `delete` gives lines on what it did, and does nothing if it is gone."""

    what: str
    delete: Callable[[], Iterable[str]]


def rest_apis(account: Account) -> Iterator[Part]:
    """The REST APIs that call the stage's function."""
    client = account.client("apigateway")
    for name in account.rest_apis():
        yield _part(f"REST API {name}", client.exceptions.NotFoundException, client.delete_rest_api, restApiId=name)


def rules(account: Account, functions: Collection[str]) -> Iterator[Part]:
    """The schedules of these functions."""
    client = account.client("events")
    for name in account.rules(functions).values():
        yield Part(f"schedule {name}", partial(_delete_rule, client, name))


def mappings(account: Account, found: Mapping[str, str], own: set[str]) -> Iterator[Part]:
    """The event source mappings of these functions that no stack of the stage owns: they outlive a function."""
    client = account.client("lambda")
    for arn in found.values():
        for mapping in mappings_into(client, arn):
            if mapping["UUID"] not in own:
                yield Part(f"mapping {mapping['UUID']}", partial(delete_others, client, arn, own))


def functions(account: Account, found: Mapping[str, str]) -> Iterator[Part]:
    """Functions: Chalice's name to ARN."""
    client = account.client("lambda")
    for arn in found.values():
        name = arn.rpartition(":")[2]
        gone = client.exceptions.ResourceNotFoundException
        yield _part(f"function {name}", gone, client.delete_function, FunctionName=name)


def roles(account: Account, functions: Collection[str]) -> Iterator[Part]:
    """The roles of these functions."""
    client = account.client("iam")
    for arn in account.roles(functions).values():
        name = arn.rpartition("/")[2]
        yield Part(f"role {name}", partial(_delete_role, client, name))


def log_groups(account: Account, functions: Collection[str]) -> Iterator[Part]:
    """The logs of these functions, which Lambda keeps when a function is deleted."""
    client = account.client("logs")
    wanted = {f"/aws/lambda/{function_name(account.app_name, account.stage, name)}" for name in functions}
    prefix = f"/aws/lambda/{account.app_name}-{account.stage}"
    for group in account.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
        name = group["logGroupName"]
        if name in wanted:
            gone = client.exceptions.ResourceNotFoundException
            yield _part(f"log {name}", gone, client.delete_log_group, logGroupName=name)


def unused_layers(account: Account, own_functions: set[str], layers_of_others: set[str]) -> Iterator[Part]:
    """The versions of the project's layers that neither another function of the region nor another stage names."""
    client = account.client("lambda")
    used = layers_of_others | {
        layer["Arn"]
        for function in account.pages("lambda", "list_functions", "Functions", FunctionVersion="ALL")
        for layer in function.get("Layers", [])
        if _unqualified(function["FunctionArn"]) not in own_functions
    }
    kinds = tuple(f"{account.app_name}-{kind}-" for kind in ("runtime", "model"))
    for layer in account.pages("lambda", "list_layers", "Layers"):
        name = layer["LayerName"]
        if not name.startswith(kinds):
            continue
        for version in account.pages("lambda", "list_layer_versions", "LayerVersions", LayerName=name):
            if version["LayerVersionArn"] not in used:
                options = {"LayerName": name, "VersionNumber": version["Version"]}
                gone = client.exceptions.ResourceNotFoundException
                yield _part(f"layer {name}:{version['Version']}", gone, client.delete_layer_version, **options)


def _part(what: str, gone: type[Exception], call: Callable[..., Any], **options: Any) -> Part:
    """A part that one call deletes; `gone` is what the call raises if there is none."""

    def delete() -> Iterable[str]:
        with suppress(gone):
            call(**options)
        return ()

    return Part(what, delete)


def _delete_rule(client: Any, name: str) -> Iterable[str]:
    with suppress(client.exceptions.ResourceNotFoundException):
        targets = [target["Id"] for target in client.list_targets_by_rule(Rule=name)["Targets"]]
        if targets:
            client.remove_targets(Rule=name, Ids=targets)
        client.delete_rule(Name=name)
    return ()


def _delete_role(client: Any, name: str) -> Iterable[str]:
    with suppress(client.exceptions.NoSuchEntityException):
        for policy in client.list_role_policies(RoleName=name)["PolicyNames"]:
            client.delete_role_policy(RoleName=name, PolicyName=policy)
        for attached in client.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            client.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
        client.delete_role(RoleName=name)
    return ()


def _unqualified(arn: str) -> str:
    """A function's ARN without the version: `arn:aws:lambda:region:account:function:name`."""
    return ":".join(arn.split(":")[:7])
