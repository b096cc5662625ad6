"""Reads .chalice/resources.json, with the files that it names put in."""

import json
from pathlib import Path
from typing import Any

from layers.errors import PackageError

Template = dict[str, Any]

TEXT = "InlineText"
"""`{"InlineText": "workflow.asl.json"}` stands for that file's text as it is: what it leaves open, and CloudFormation's
linter looks into it."""
INLINE = "InlineFile"
"""`{"InlineFile": "dashboard.json"}` stands for that file's text with CloudFormation's `${...}` filled in.

A dashboard is JSON within a string: in a file of its own it can be read, compared and tested.
"""


def read_resources(path: Path) -> Template:
    """The template at `path`; raises PackageError where it, or a file that it names, cannot be read as JSON."""
    template: Template = _inlined(_read(path), path.parent)
    return template


def _inlined(value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_inlined(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {TEXT}:
        return json.dumps(_read(folder / value[TEXT]), separators=(",", ":"))
    if set(value) == {INLINE}:
        return {"Fn::Sub": json.dumps(_read(folder / value[INLINE]), separators=(",", ":"))}
    return {name: _inlined(item, folder) for name, item in value.items()}


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PackageError(f"{path} cannot be read as JSON: {error}") from error
