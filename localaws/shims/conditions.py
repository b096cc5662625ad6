"""Which resources of a template its parameters leave out, of which moto thinks only when it makes a stack.

When it changes one, it neither makes a resource whose condition has become true nor deletes one whose condition no
longer is. Here a template has only the resources that are wanted, so that moto finds what to add and to remove.
Source: AWS CloudFormation user guide, "Condition functions".
"""

from collections.abc import Mapping
from typing import Any


def without_unwanted(document: dict[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The template without resources whose condition is false, nor what names them in DependsOn."""
    conditions = document.get("Conditions", {})
    found = document["Resources"]
    kept = {
        name: one
        for name, one in found.items()
        if "Condition" not in one or is_true(conditions[one["Condition"]], conditions, parameters)
    }
    return {**document, "Resources": {name: _with_known_needs(one, set(kept)) for name, one in kept.items()}}


def is_true(node: Any, conditions: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    """The value of a condition; raises KeyError for another function."""
    [(name, argument)] = node.items()
    if name == "Condition":
        return is_true(conditions[argument], conditions, parameters)
    if name == "Fn::Equals":
        first, second = (str(parameters[one["Ref"]] if isinstance(one, dict) else one) for one in argument)
        return first == second
    inner = [is_true(one, conditions, parameters) for one in argument]
    return bool({"Fn::Not": lambda: not inner[0], "Fn::And": lambda: all(inner), "Fn::Or": lambda: any(inner)}[name]())


def _with_known_needs(resource: dict[str, Any], known: set[str]) -> dict[str, Any]:
    needs = resource.get("DependsOn", [])
    kept = [name for name in ([needs] if isinstance(needs, str) else needs) if name in known]
    return {**resource, "DependsOn": kept} if needs else resource
