"""What an account has of a stage, found by name and then checked to be Chalice's work for this stage.

Names alone do not tell: `slimception-dev-2` begins as the functions of stage `dev` do, and the REST APIs of all stages
are called `slimception`.
"""

from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Any

from layers.deploy.names import function_name, role_name
from layers.deploy.stages import API_HANDLER

_TAG = "aws-chalice"
"""Chalice's tag of a function, `version=1.34.0:stage=dev:app=slimception`. Source: chalice.config, `Config.tags`."""
_OF_STACK = "aws:cloudformation:stack-name"
"""The tag of a function that a stack has made: another deployment, from the package, is left alone."""


class Account:
    """An account and a stage. Nothing here changes anything."""

    def __init__(self, client: Callable[..., Any], app_name: str, stage: str):
        """`client` makes a boto3 client of a service, in the configured region unless another one is given."""
        self.client = cache(client)
        self.app_name, self.stage = app_name, stage

    def functions(self) -> dict[str, str]:
        """Chalice's name of each function, to its ARN."""
        own = function_name(self.app_name, self.stage, API_HANDLER)
        found = {}
        for function in self.pages("lambda", "list_functions", "Functions"):
            name, arn = function["FunctionName"], str(function["FunctionArn"])
            if (name == own or name.startswith(f"{own}-")) and self._is_ours(arn):
                found[name[len(own) + 1 :] or API_HANDLER] = arn
        return found

    def roles(self, functions: Collection[str]) -> dict[str, str]:
        """Chalice's name of each of these functions that has a role of its name, to the role's ARN."""
        iam = self.client("iam")
        found = {}
        for function in functions:
            try:
                role = iam.get_role(RoleName=role_name(self.app_name, self.stage, function))["Role"]
            except iam.exceptions.NoSuchEntityException:
                continue
            found[function] = str(role["Arn"])
        return found

    def rest_apis(self) -> list[str]:
        """The ids of the REST APIs that call the stage's function, the oldest first."""
        apis = [one for one in self.pages("apigateway", "get_rest_apis", "items") if one["name"] == self.app_name]
        return [
            one["id"] for one in sorted(apis, key=lambda one: str(one["createdDate"])) if self._calls_ours(one["id"])
        ]

    def rules(self, functions: Collection[str]) -> dict[str, str]:
        """Chalice's name of each of these functions that has a schedule, to the rule's name."""
        events = self.client("events")
        found = {}
        for function in functions:
            name = f"{role_name(self.app_name, self.stage, function)}-event"
            try:
                events.describe_rule(Name=name)
            except events.exceptions.ResourceNotFoundException:
                continue
            found[function] = name
        return found

    def has_mapping(self, uuid: str) -> bool:
        """Whether there is an event source mapping of this id."""
        functions = self.client("lambda")
        try:
            functions.get_event_source_mapping(UUID=uuid)
        except functions.exceptions.ResourceNotFoundException:
            return False
        return True

    def pages(self, service: str, operation: str, key: str, **options: Any) -> Iterator[dict[str, Any]]:
        """What the pages of a service's operation have under `key`."""
        for page in self.client(service).get_paginator(operation).paginate(**options):
            yield from page.get(key, [])

    def _is_ours(self, arn: str) -> bool:
        tags = self.client("lambda").list_tags(Resource=arn).get("Tags", {})
        parts = tags.get(_TAG, "").split(":")
        return _OF_STACK not in tags and {f"stage={self.stage}", f"app={self.app_name}"} <= set(parts)

    def _calls_ours(self, api_id: str) -> bool:
        wanted = f":function:{function_name(self.app_name, self.stage, API_HANDLER)}/"
        resources = self.pages("apigateway", "get_resources", "items", restApiId=api_id, embed=["methods"])
        methods = [method for resource in resources for method in resource.get("resourceMethods", {}).values()]
        return any(wanted in method.get("methodIntegration", {}).get("uri", "") for method in methods)
