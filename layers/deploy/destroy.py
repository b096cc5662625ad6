"""`destroy`: lists what a stage has in the account, asks, and deletes it; the bucket and the table only if asked to.

Each run looks for itself at what is there, so that one that broke off can be given again.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from layers.deploy import budget
from layers.deploy.account import Account
from layers.deploy.data import holding_data
from layers.deploy.mappings import mappings_of
from layers.deploy.names import ALARMS, BUDGET, FRONT_STACK, MAPPINGS, QUEUES, TRIGGERS, WORKFLOW, stack_name
from layers.deploy.parts import Part, functions, log_groups, mappings, rest_apis, roles, rules, unused_layers
from layers.deploy.record import record_path
from layers.deploy.stack import delete_stack, find_stack
from layers.deploy.stages import forget_layers, known_functions, layers_of_others
from layers.errors import PackageError


def destroy(
    account: Account, resources: Path, project: Path, data: bool, ask: Callable[[], str] | None
) -> Iterator[str]:
    """Delete all of the stage, with a line on each step; raises PackageError.

    `data`: the bucket with all that it holds, and the table, too. `ask` gives what the user types, which must be the
    stage's name; None does not ask.
    """
    stage = account.stage
    holding = list(holding_data(account, resources))
    others = layers_of_others(project, stage)
    parts = [*_parts(account, known_functions(project, stage), others), *(holding if data else [])]
    yield f"stage {stage}, to delete: " + ("nothing" if not parts else f"{len(parts)}")
    yield from (f"  {part.what}" for part in parts)
    if holding and not data:
        yield "what stays, since it holds data (DATA=1 deletes it, too):"
        yield from (f"  {part.what}" for part in holding)
    if parts and ask is not None:
        yield f"Type the stage's name, {stage}, to delete this:"
        if (typed := ask().strip()) != stage:
            raise PackageError(f"nothing was deleted: {typed!r} is not {stage!r}; type that, or give YES=1")
    for part in parts:
        yield from part.delete()
        yield f"deleted: {part.what}"
    record_path(project, stage).unlink(missing_ok=True)
    if forget_layers(project, stage):
        yield f"stage {stage} names no layers any more"


def _parts(account: Account, known: set[str], layers_of_others: set[str]) -> Iterator[Part]:
    """All but what holds data, in the order in which it can be deleted: first what uses the others."""
    found = account.functions()
    names = sorted(known | set(found))
    for name in (FRONT_STACK, TRIGGERS, MAPPINGS, WORKFLOW, ALARMS):
        yield from _stack(account, name)
    yield from _stack(account, BUDGET, budget.REGION)
    yield from mappings(account, found, mappings_of(account.client("cloudformation"), _name(account, MAPPINGS)))
    yield from rest_apis(account)
    yield from rules(account, names)
    yield from functions(account, found)
    yield from roles(account, names)
    yield from _stack(account, QUEUES)
    yield from log_groups(account, names)
    yield from unused_layers(account, set(found.values()), layers_of_others)


def _stack(account: Account, part: str, *region: str) -> Iterator[Part]:
    client, name = account.client("cloudformation", *region), _name(account, part)
    if find_stack(client, name):
        yield Part(f"stack {name}", partial(delete_stack, client, name))


def _name(account: Account, part: str) -> str:
    return stack_name(account.app_name, account.stage, part)
