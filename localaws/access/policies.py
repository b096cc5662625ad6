"""Identity-based policies, evaluated as IAM does; what this evaluator does not know is an error, and never a yes.

Source: IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements reference".
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from localaws.errors import UnknownPolicy

KEYS = (
    "aws:principalaccount",
    "aws:resourceaccount",
    "aws:securetransport",
    "aws:requestedregion",
    "s3:resourceaccount",
    "s3:prefix",
    "s3:delimiter",
)
"""Condition keys whose values are known for each call, in lower case, as IAM compares them."""
_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_SEGMENTS = 5
"""Colons of an ARN that separate its segments; a wildcard stays within its segment."""


class Request(NamedTuple):
    """One right that a call needs."""

    action: str
    """`s3:GetObject`."""
    resource: str
    """An ARN, or `*` for an action that has none."""
    context: tuple[tuple[str, str], ...]
    """Condition keys in lower case with their values; a key that is left out is absent."""


class Statement(NamedTuple):
    """One statement of a policy."""

    sid: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Operator, key, values."""
    other_actions: bool = False
    """Whether `actions` are those that are excepted (NotAction)."""
    other_resources: bool = False

    def matches(self, request: Request) -> bool:
        """Whether it says anything about a request."""
        context = dict(request.context)
        named = any(_glob(action.lower()).fullmatch(request.action.lower()) for action in self.actions)
        if named == self.other_actions:
            return False
        on = any(_is_resource(resource, request.resource, context) for resource in self.resources)
        return on != self.other_resources and all(_holds(*condition, context) for condition in self.conditions)


def is_allowed(statements: Iterable[Statement], request: Request) -> bool:
    """Whether a statement allows the request and none denies it."""
    said = [statement.allows for statement in statements if statement.matches(request)]
    return bool(said) and all(said)


@lru_cache(256)
def statements_of(document: str) -> tuple[Statement, ...]:
    """The statements of a policy in JSON; raises UnknownPolicy."""
    policy = json.loads(document)
    if policy.get("Version") != "2012-10-17":
        raise UnknownPolicy(f"a policy has the version {policy.get('Version')!r}: write 2012-10-17")
    return tuple(_statement(one) for one in _listed(policy["Statement"]))


def _statement(written: Mapping[str, Any]) -> Statement:
    if unknown := set(written) - _ELEMENTS:
        raise UnknownPolicy(f"a statement has {sorted(unknown)}: a role's policy has {sorted(_ELEMENTS)}")
    conditions = [
        (operator, key.lower(), tuple(map(str, _listed(values))))
        for operator, keys in written.get("Condition", {}).items()
        for key, values in keys.items()
    ]
    for operator, key, _ in conditions:
        _check_known(operator.removesuffix(_IF_EXISTS) in _OPERATORS, operator)
        _check_known(key in KEYS, key)
    actions = _listed(written.get("Action") or written["NotAction"])
    resources = _listed(written.get("Resource") or written["NotResource"])
    for variable in _VARIABLE.findall(
        " ".join([*resources, *(value for _, _, values in conditions for value in values)])
    ):
        _check_known(variable.lower() in KEYS, f"${{{variable}}}")
    return Statement(
        written.get("Sid", ""),
        written["Effect"] == "Allow",
        tuple(actions),
        tuple(resources),
        tuple(conditions),
        "NotAction" in written,
        "NotResource" in written,
    )


def _check_known(is_known: bool, what: str) -> None:
    if not is_known:
        raise UnknownPolicy(f"a policy's condition has {what}, which localaws does not know: add it to localaws/access")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_resource(pattern: str, resource: str, context: Mapping[str, str]) -> bool:
    if pattern == "*":
        return True
    patterns, segments = pattern.split(":", _SEGMENTS), resource.split(":", _SEGMENTS)
    return len(patterns) == len(segments) and all(
        _is_like(one, segment, context) for one, segment in zip(patterns, segments, strict=True)
    )


def _is_like(pattern: str, value: str, context: Mapping[str, str]) -> bool:
    """Whether a pattern with wildcards fits; one with a variable that the request lacks fits nothing."""
    filled = pattern
    for variable in _VARIABLE.findall(pattern):
        if variable.lower() not in context:
            return False
        filled = filled.replace(f"${{{variable}}}", context[variable.lower()])
    return _glob(filled).fullmatch(value) is not None


def _equals(expected: str, value: str, context: Mapping[str, str]) -> bool:
    return _VARIABLE.sub(lambda found: context.get(found[1].lower(), "\0"), expected) == value


def _equals_bool(expected: str, value: str, context: Mapping[str, str]) -> bool:
    return _equals(expected.lower(), value.lower(), context)


_Test = Callable[[str, str, Mapping[str, str]], bool]
_NULL, _IF_EXISTS = "Null", "IfExists"
_OPERATORS: dict[str, tuple[_Test, bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringLike": (_is_like, False),
    "StringNotLike": (_is_like, True),
    "ArnEquals": (_is_resource, False),
    "ArnNotEquals": (_is_resource, True),
    "ArnLike": (_is_resource, False),
    "ArnNotLike": (_is_resource, True),
    "Bool": (_equals_bool, False),
    _NULL: (_equals_bool, False),
}
"""What each operator tests, and whether it is met where none of its values fits."""


def _holds(operator: str, key: str, values: tuple[str, ...], context: Mapping[str, str]) -> bool:
    if operator == _NULL:
        return any(_equals_bool(value, str(key not in context), context) for value in values)
    test, negated = _OPERATORS[operator.removesuffix(_IF_EXISTS)]
    if key not in context:
        return negated or operator.endswith(_IF_EXISTS)
    return any(test(value, context[key], context) for value in values) != negated


@lru_cache(4096)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
