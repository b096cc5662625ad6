"""The rights of roles against the calls that were recorded: which ones nobody needs, and what one less would refuse."""

from collections.abc import Iterator, Mapping

from localaws.access.guard import Record
from localaws.access.policies import Request, Statement, is_allowed

Policies = Mapping[str, tuple[Statement, ...]]
"""Each role's statements."""
Right = tuple[str, str, str]
"""Role, statement's Sid, action."""


def rights(policies: Policies) -> Iterator[tuple[Right, tuple[Statement, ...]]]:
    """Each right, with the statements that remain without it."""
    for role, statements in policies.items():
        for place, statement in enumerate(statements):
            for action in statement.actions:
                less = statement._replace(actions=tuple(other for other in statement.actions if other != action))
                yield (role, statement.sid, action), (*statements[:place], less, *statements[place + 1 :])


def refused(record: Record, role: str, statements: tuple[Statement, ...]) -> list[Request]:
    """The recorded calls of a role that these statements refuse."""
    return [request for caller, request in list(record.calls) if caller == role and not is_allowed(statements, request)]
