"""The workflow's state machine from .chalice/workflow.asl.json, which says once what Amazon States Language repeats.

Two things in that file are not Amazon States Language:

- `"Retry": "group"` in a state stands for the rows of the file's own `Retry` table that have a column `group`: the
  errors of the row, and the column's limits for them.
- `"Group": " in a batch"` in an ItemProcessor stands for the file's own `Group`, the states that do one group of
  pictures. Each state's name gets that ending, since names must be unique in a state machine.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layers.errors import PackageError

RETRY, GROUP = "Retry", "Group"
_BACKOFF_RATE, _JITTER = 2, "FULL"
_NAMING = ("StartAt", "Next", "Default")
"""Fields whose values are names of states."""

Definition = dict[str, Any]


def read_definition(path: Path) -> Definition:
    """The state machine at `path` in plain Amazon States Language; raises PackageError."""
    source = read_json(path)
    try:
        table, group = source.pop(RETRY), source.pop(GROUP)
        expanded: Definition = _expanded(source, table, _expanded(group, table, {}))
    except (KeyError, TypeError, AttributeError) as error:
        raise PackageError(
            f"{path} is not a workflow with the parts Retry and Group ({error!r}): restore it"
        ) from error
    return expanded


def read_json(path: Path) -> Any:
    """The content of a file; raises PackageError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PackageError(f"{path} cannot be read as JSON: {error}") from error


def _expanded(node: Any, table: list[Definition], group: Definition) -> Any:
    if isinstance(node, list):
        return [_expanded(item, table, group) for item in node]
    if not isinstance(node, dict):
        return node
    if GROUP in node:
        rest = {name: item for name, item in node.items() if name != GROUP}
        return {**rest, **_with_ending(group, node[GROUP])}
    return {
        name: _retriers(table, item) if name == RETRY else _expanded(item, table, group) for name, item in node.items()
    }


def _retriers(table: list[Definition], column: str) -> list[Definition]:
    """Amazon States Language's Retry: a retrier for each row that has the column; KeyError if none has it."""
    rows = [_retrier(row["ErrorEquals"], row[column]) for row in table if column in row]
    if not rows:
        raise KeyError(column)
    return rows


def _retrier(errors: list[str], limits: Mapping[str, int]) -> Definition:
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": limits["IntervalSeconds"],
        "MaxAttempts": limits["MaxAttempts"],
        "BackoffRate": _BACKOFF_RATE,
        "MaxDelaySeconds": limits["MaxDelaySeconds"],
        "JitterStrategy": _JITTER,
    }


def _with_ending(node: Any, ending: str) -> Any:
    """The same states with longer names, wherever a name stands."""
    if isinstance(node, list):
        return [_with_ending(item, ending) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: item + ending
        if name in _NAMING
        else {state + ending: _with_ending(one, ending) for state, one in item.items()}
        if name == "States"
        else _with_ending(item, ending)
        for name, item in node.items()
    }
