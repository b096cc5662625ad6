"""Reads .chalice/resources.json and puts the files that it names into their places."""

import json
from pathlib import Path
from typing import Any

from layers.deploy.cloudformation import SUB, Template
from layers.deploy.definition import read_definition, read_json

DEFINITION = "InlineDefinition"
"""`{"InlineDefinition": "workflow.asl.json"}` stands for that state machine, expanded, as text. CloudFormation fills in
what the text leaves open, and its linter checks the text."""
INLINE = "InlineFile"
"""`{"InlineFile": "dashboard.json"}` stands for that file's text with CloudFormation's `${...}` filled in.

A dashboard is JSON within a string: in its own file it can be read, compared and tested.
"""


def read_resources(path: Path, stage: str = "dev") -> Template:
    """The template at `path` for a stage; raises PackageError if it, or a file that it names, cannot be read."""
    template: Template = _inlined(read_json(path), path.parent)
    if "Stage" in template.get("Parameters", {}):
        template["Parameters"]["Stage"]["Default"] = stage
    return template


def _inlined(value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_inlined(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {DEFINITION}:
        return _compact(read_definition(folder / value[DEFINITION]))
    if set(value) == {INLINE}:
        return {SUB: _compact(read_json(folder / value[INLINE]))}
    return {name: _inlined(item, folder) for name, item in value.items()}


def _compact(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))
