"""Chalice's record of a stage, `.chalice/deployed/<stage>.json`, made true before `chalice deploy`.

Chalice writes it only after everything succeeded. Without it, a `chalice deploy` that broke off after the REST API
makes a second one, and one that broke off before leaves what its plan no longer has. With entries of what is gone, it
tries to delete that for ever. Source: chalice.deploy.deployer, `Deployer._deploy`; chalice.deploy.sweeper.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from layers.build.archive import written_aside
from layers.deploy.account import Account
from layers.deploy.stages import API_HANDLER, CONFIG, known_functions
from layers.errors import StageError

Entry = dict[str, Any]
_SCHEMA, _BACKEND = "2.0", "api"


def write_record(account: Account, project: Path) -> Iterator[str]:
    """Write what the account has of the stage, with a line on what was not on record; raises StageError.

    Entries of other kinds than functions, roles, the REST API, schedules and mappings stay as they are.
    """
    path = record_path(project, account.stage)
    before = read_record(path)
    entries = list(_entries(account, known_functions(project, account.stage), before))
    recorded, found = _ids(before), _ids(entries)
    for line in sorted(found - recorded):
        yield f"found in the account, and not on record: {line}"
    for line in sorted(recorded - found):
        yield f"on record, and not in the account: {line}"
    if found == recorded:
        return
    yield f"{path}: written anew, as the account is"
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as aside:
        content = {"resources": entries, "schema_version": _SCHEMA, "backend": _BACKEND}
        aside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def record_path(project: Path, stage: str) -> Path:
    """Where Chalice keeps its record of a stage."""
    return project / CONFIG.parent / "deployed" / f"{stage}.json"


def _entries(account: Account, known: set[str], before: list[Entry]) -> Iterator[Entry]:
    """Chalice's entries, in its order: whatever needs another one stands after it."""
    old = {entry["name"]: entry for entry in before}
    functions = account.functions()
    names = sorted({*known, *functions}, key=lambda name: (name == API_HANDLER, name))
    roles, rules = account.roles(names), account.rules(names)
    for name in names:
        if name in roles:
            role = {"role_arn": roles[name], "role_name": roles[name].rpartition("/")[2]}
            yield {"name": f"{name}_role", "resource_type": "iam_role", **role}
        if name in functions:
            yield {"name": name, "resource_type": "lambda_function", "lambda_arn": functions[name]}
        if name in rules:
            yield {"name": f"{name}-event", "resource_type": "cloudwatch_event", "rule_name": rules[name]}
    for entry in before:
        kind = entry["resource_type"]
        if kind not in _FOUND and (kind != "sqs_event" or account.has_mapping(entry["event_uuid"])):
            yield entry
    yield from _rest_api(account, old.get("rest_api", {}))


def _rest_api(account: Account, old: Entry) -> Iterator[Entry]:
    """The entry of the REST API on record, if it is in the account, or else of the oldest there."""
    found = account.rest_apis()
    if old.get("rest_api_id") in found:
        yield old
    elif found:
        yield {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": found[0]}


_FOUND = ("lambda_function", "iam_role", "cloudwatch_event", "rest_api")


def _ids(entries: list[Entry]) -> set[str]:
    """What each entry names in the account."""
    return {
        str(entry[key])
        for entry in entries
        for key in ("lambda_arn", "role_name", "rule_name", "rest_api_id", "event_uuid")
        if key in entry and not (key == "lambda_arn" and "event_uuid" in entry)
    }


def read_record(path: Path) -> list[Entry]:
    """The entries of a record, none if there is no such file; raises StageError."""
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["resources"])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StageError(
            f"{path} cannot be read as Chalice's record ({error!r}): delete it, it is written anew"
        ) from error
