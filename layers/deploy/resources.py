"""Reads .chalice/resources.json, adds the stage's front, and puts the files that it names into their places."""

import json
from pathlib import Path
from typing import Any

from layers.deploy.cloudformation import SUB, Template, references, resolved
from layers.deploy.definition import read_definition, read_json
from layers.deploy.gateway import ANY_ORIGIN, ORIGIN_VARIABLE
from layers.deploy.names import function_name
from layers.deploy.stages import CONFIG, REST, api_function, front_of, read_config, variable

DEFINITION = "InlineDefinition"
"""`{"InlineDefinition": "workflow.asl.json"}` stands for that state machine, expanded, as text. CloudFormation fills in
what the text leaves open, and its linter checks the text."""
INLINE = "InlineFile"
"""`{"InlineFile": "dashboard.json"}` stands for that file's text with CloudFormation's `${...}` filled in.

A dashboard is JSON within a string: in its own file it can be read, compared and tested.
"""


RESOURCES = CONFIG.parent / "resources.json"
"""Where a project has the file."""
FRONTS_FOLDER = "fronts"
"""The folder beside it with a file for each front: what stands before the API's function, and what only that needs."""
CANARY, CANARY_SWITCH = "Canary", "CANARY_MINUTES"
"""The logical id of the canary, and the variable of the stage with which app.py has one."""
LOG = "Log"
"""How the logical id of a function's log group ends, after the function's."""


def read_resources(path: Path, stage: str = "dev") -> Template:
    """The template at `path` with the stage's front, for a stage, whose name it then has in place of `${Stage}`.

    The name is no parameter: functions and policies have it in their own settings, so that another name in the
    template alone would part them. Without a canary in the stage's settings, its log and its alarm are left out.

    Raises PackageError if the template, or a file that it names, cannot be read, and StageError.
    """
    template: Template = resolved(_inlined(_with_front(path, stage), path.parent), {"Stage": stage})
    if CANARY not in template["Resources"] or variable(read_config(path.parent.parent, stage), stage, CANARY_SWITCH):
        return template
    left_out = {CANARY, f"{CANARY}{LOG}"}
    found = template["Resources"].items()
    kept = {name: one for name, one in found if name not in left_out and CANARY not in references(one)}
    return {**template, "Resources": kept}


def front_at(path: Path, stage: str) -> str:
    """The front of a stage whose template is at `path`: a REST API if its project has no choice. Raises StageError."""
    if not (path.parent / FRONTS_FOLDER).is_dir():
        return REST
    return front_of(read_config(path.parent.parent, stage), stage)


def _with_front(path: Path, stage: str) -> Template:
    """The template with the sections of the front's, which knows its allowed origin and the name of its function."""
    template: Template = read_json(path)
    if not (path.parent / FRONTS_FOLDER).is_dir():
        return template
    front, config = front_at(path, stage), read_config(path.parent.parent, stage)
    part = read_json(path.parent / FRONTS_FOLDER / f"{front}.json")
    joined = {**template, **{name: {**template.get(name, {}), **section} for name, section in part.items()}}
    values = {
        "AllowedOrigin": variable(config, stage, ORIGIN_VARIABLE) or ANY_ORIGIN,
        "ApiFunction": function_name(config["app_name"], stage, api_function(front)),
    }
    return dict(resolved(joined, values))


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
