"""A stage's IAM policies: one template for each function in .chalice/policies, written out where Chalice reads them.

Chalice takes from .chalice/config.json the name of a file for each function of a stage, and fills nothing in. So the
stage names `policies/<stage>/<function>.json`, which is written from `policies/<function>.json`.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from layers.build.archive import written_aside
from layers.deploy.names import function_name
from layers.deploy.stages import CONFIG, api_function, front_of, read_config
from layers.errors import StageError

FOLDER = "policies"
_STAGE, _API_FUNCTION = "${Stage}", "${ApiFunction}"
"""The stage's name, and the name of its API's function, which is another one behind another front. IAM's own policy
variables, such as `${aws:username}`, stay."""


def write_policies(project: Path, stage: str) -> str:
    """Write the policies that the stage names; gives a sentence on what was done. Raises StageError.

    A policy that the stage takes from elsewhere is the user's own, and stays as it is.
    """
    folder = project / CONFIG.parent
    config = read_config(project, stage)
    api = function_name(config["app_name"], stage, api_function(front_of(config, stage)))
    names = [name for name in policy_files(config["stages"][stage]) if _is_ours(name, stage)]
    for name in names:
        template = _read(folder / FOLDER / PurePosixPath(name).name, name)
        policy = _filled_in(template, {_STAGE: stage, _API_FUNCTION: api})
        with written_aside(folder / name) as aside:
            aside.write_text(json.dumps(policy, indent=2) + "\n", encoding="utf-8")
    return f"{CONFIG.parent / FOLDER / stage}: {len(names)} policies"


def policy_files(chosen: Mapping[str, Any]) -> Iterator[str]:
    """The policy files that a stage's configuration names, relative to .chalice: the API's, then the functions'."""
    for part in (chosen, *chosen.get("lambda_functions", {}).values()):
        if "iam_policy_file" in part:
            yield part["iam_policy_file"]


def _filled_in(node: Any, values: Mapping[str, str]) -> Any:
    """A policy, or a part of it, with these values in its texts."""
    if isinstance(node, list):
        return [_filled_in(item, values) for item in node]
    if isinstance(node, dict):
        return {name: _filled_in(item, values) for name, item in node.items()}
    if isinstance(node, str):
        for name, value in values.items():
            node = node.replace(name, value)
    return node


def _is_ours(name: str, stage: str) -> bool:
    return PurePosixPath(name).parent == PurePosixPath(FOLDER, stage)


def _read(template: Path, name: str) -> Any:
    try:
        return json.loads(template.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StageError(f"{name} cannot be written from {template}: {error}; restore that file") from error
