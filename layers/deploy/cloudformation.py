"""CloudFormation's templates as trees: what a part refers to, values in place of references, parts left out.

Source: AWS CloudFormation user guide, "Intrinsic function reference". `node` is any part of a template in JSON form.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

Template = dict[str, Any]
Value = str | dict[str, str]
"""What takes a reference's place: a text, or `{"Ref": name}`."""

REF, GET_ATT, SUB = "Ref", "Fn::GetAtt", "Fn::Sub"
_VARIABLE = re.compile(r"(\$\{[^!}][^}]*\})")
"""`${Name}` or `${Name.Attribute}` in the text of Fn::Sub; `${!Name}` is literal."""


def references(node: Any) -> set[str]:
    """The logical ids, parameters and conditions that the node names, without pseudo parameters (`AWS::Region`)."""
    return {name.partition(".")[0] for name in _names(node) if not name.startswith("AWS::")}


def resolved(node: Any, values: Mapping[str, Value]) -> Any:
    """The node with a value for each reference to `Name` or `Name.Attribute`; all others stay.

    An Fn::Sub in which nothing is left to fill in becomes its text.
    """
    if isinstance(node, list):
        return [resolved(item, values) for item in node]
    if not isinstance(node, dict):
        return node
    name = _referred(node)
    if name is not None and name in values:
        return values[name]
    if set(node) == {SUB}:
        filled = _resolved_sub(node[SUB], values)
        return filled if isinstance(filled, str) and "${" not in filled else {SUB: filled}
    return {name: resolved(item, values) for name, item in node.items()}


def text_of(value: Value) -> str:
    """The text of a name that is given alone or in an Fn::Sub."""
    return value if isinstance(value, str) else value[SUB]


def without(template: Template, names: Set[str]) -> Template:
    """The template without these resources, what refers to them, and what nothing then uses.

    CloudFormation refuses a template that refers to what is not in it. So a resource or an output that refers to
    what was never in it is left out, too. A rule stays if a parameter that it checks is used; then its parameters do.
    """
    declared = {*template.get("Parameters", {}), *template.get("Conditions", {})}
    kept = {name: part for name, part in template["Resources"].items() if name not in names}
    while len(complete := _complete(kept, declared | set(kept))) < len(kept):
        kept = complete
    outputs = _complete(template.get("Outputs", {}), declared | set(kept))
    conditions = _used_conditions(template.get("Conditions", {}), references([kept, outputs]))
    used = references([kept, outputs, conditions])
    rules = {name: rule for name, rule in template.get("Rules", {}).items() if references(rule["RuleCondition"]) & used}
    parameters = _used(template.get("Parameters", {}), used | references(rules))
    cut = {"Parameters": parameters, "Rules": rules, "Conditions": conditions, "Resources": kept, "Outputs": outputs}
    return {name: part for name, part in cut.items() if part or name not in ("Rules", "Outputs")}


def _names(node: Any) -> Iterator[str]:
    """Each reference as Fn::Sub spells it: `Name` or `Name.Attribute`."""
    if isinstance(node, list):
        for item in node:
            yield from _names(item)
    elif isinstance(node, dict):
        for key, item in node.items():
            yield from _NAMED_BY[key](item) if key in _NAMED_BY else ()
            yield from _names(item)


def _names_in_sub(argument: Any) -> Iterator[str]:
    text, local = _sub_parts(argument)
    return (part[2:-1] for part in _VARIABLE.findall(text) if part[2:-1] not in local)


def _texts(argument: Any) -> list[str]:
    """Names given alone or in a list; a policy's own `Condition` is an object and names nothing."""
    return [argument] if isinstance(argument, str) else argument if isinstance(argument, list) else []


_NAMED_BY: dict[str, Callable[[Any], Any]] = {
    REF: _texts,
    GET_ATT: lambda argument: _texts(argument)[:1],
    SUB: _names_in_sub,
    "Fn::If": lambda argument: argument[:1],
    "DependsOn": _texts,
    "Condition": _texts,
}


def _referred(node: dict[str, Any]) -> str | None:
    """What a `{"Ref": ...}` or a `{"Fn::GetAtt": ...}` in either of its forms refers to."""
    if set(node) == {REF}:
        return str(node[REF])
    if set(node) == {GET_ATT}:
        return ".".join(map(str, _texts(node[GET_ATT])))
    return None


def _sub_parts(argument: Any) -> tuple[str, Mapping[str, Any]]:
    """The text of Fn::Sub and, in its form with two elements, the variables that it defines itself."""
    return (argument, {}) if isinstance(argument, str) else (argument[0], argument[1])


def _resolved_sub(argument: Any, values: Mapping[str, Value]) -> Any:
    text, local = _sub_parts(argument)
    filled = "".join(
        _in_text(values[part[2:-1]]) if part[2:-1] in values and part[2:-1] not in local else part
        for part in _VARIABLE.split(text)
    )
    return filled if isinstance(argument, str) else [filled, resolved(local, values)]


def _in_text(value: Value) -> str:
    return value if isinstance(value, str) else f"${{{value[REF]}}}"


def _complete(parts: Template, known: Set[str]) -> Template:
    """Those parts that refer to nothing else than what is known."""
    return {name: part for name, part in parts.items() if references(part) <= known}


def _used_conditions(conditions: Template, names: Set[str]) -> Template:
    """The conditions of these names, and those that they name, as `Fn::And` does."""
    used = _used(conditions, names)
    more = references(used) - names
    return _used_conditions(conditions, names | more) if more else used


def _used(parts: Template, names: Set[str]) -> Template:
    return {name: part for name, part in parts.items() if name in names}
