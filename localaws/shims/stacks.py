"""Moto's CloudFormation, given only the resources that it can make.

Moto keeps empty entries for resources that it does not support, and its later calls fail on them; so they are removed
first.
"""

import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

from moto.cloudformation.models import CloudFormationBackend
from moto.cloudformation.parsing import get_model_map


def patches() -> Iterator[Any]:
    """What to enter while stacks are made."""
    for name in ("create_stack", "update_stack"):
        yield mock.patch.object(CloudFormationBackend, name, _with_known(getattr(CloudFormationBackend, name)))


def _with_known(method: Any) -> Any:
    def call(backend: Any, name: str, template: str, *args: Any, **options: Any) -> Any:
        return method(backend, name, known(template), *args, **options)

    return call


def known(template: str) -> str:
    """A template in JSON without the resources that moto does not support; other text stays as it is."""
    try:
        document = json.loads(template)
        resources = document["Resources"]
    except (ValueError, KeyError, TypeError):
        return template
    kept = {name: dict(resource) for name, resource in resources.items() if resource.get("Type") in get_model_map()}
    for resource in kept.values():
        before = resource.get("DependsOn", [])
        resource["DependsOn"] = [name for name in ([before] if isinstance(before, str) else before) if name in kept]
    return json.dumps({**document, "Resources": kept})
