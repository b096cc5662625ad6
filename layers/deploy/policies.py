"""A stage's IAM policies: one template for each function in .chalice/policies, written out where Chalice reads them.

Chalice takes from .chalice/config.json the name of a file for each function of a stage, and fills nothing in. So the
stage names `policies/<stage>/<function>.json`, which is written from `policies/<function>.json`.

There, `${Stage}` is the stage's name, and a statement on `${Model}` the right to read the bundle that the stage's
MODEL_URI names; without one it is left out.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from layers.build.archive import written_aside
from layers.deploy.names import function_name
from layers.deploy.stages import CONFIG, api_function, front_of, read_config, variable
from layers.errors import StageError

FOLDER = "policies"
_STAGE, _API_FUNCTION = "${Stage}", "${ApiFunction}"
"""The stage's name, and the name of its API's function, which is another one behind another front. IAM's own policy
variables, such as `${aws:username}`, stay."""
MODEL, MODEL_URI = "${Model}", "MODEL_URI"
"""The resource of the statements on the bundle, and the variable of the stage that names it."""
_URI = re.compile(r"s3://([^*?$\s]+?)/?")
"""Without what IAM takes for a pattern."""


def write_policies(project: Path, stage: str) -> str:
    """Write the policies that the stage names; gives a sentence on what was done. Raises StageError.

    A policy that the stage takes from elsewhere is the user's own, and stays as it is.
    """
    folder, config = project / CONFIG.parent, read_config(project, stage)
    names = [name for name in policy_files(config["stages"][stage]) if _is_ours(name, stage)]
    objects = _objects(variable(config, stage, MODEL_URI))
    api = function_name(config["app_name"], stage, api_function(front_of(config, stage)))
    for name in names:
        template = _read(folder / FOLDER / PurePosixPath(name).name, name)
        policy = _filled_in(_with_model(template, objects), {_STAGE: stage, _API_FUNCTION: api})
        with written_aside(folder / name) as aside:
            aside.write_text(json.dumps(policy, indent=2) + "\n", encoding="utf-8")
    return f"{CONFIG.parent / FOLDER / stage}: {len(names)} policies"


def policy_files(chosen: Mapping[str, Any]) -> Iterator[str]:
    """The policy files that a stage's configuration names, relative to .chalice: the API's, then the functions'."""
    for part in (chosen, *chosen.get("lambda_functions", {}).values()):
        if "iam_policy_file" in part:
            yield part["iam_policy_file"]


def model_readers(project: Path) -> set[str]:
    """Chalice's names of the functions whose policies have a statement on the bundle; raises StageError."""
    templates = (project / CONFIG.parent / FOLDER).glob("*.json")
    return {path.stem for path in templates if any(map(_is_on_model, _statements(_read(path, path.name))))}


def _objects(model_uri: str) -> str | None:
    """The ARN of all objects of a bundle, None if there is no bundle; raises StageError."""
    found = _URI.fullmatch(model_uri)
    if model_uri and found is None:
        raise StageError(f"{MODEL_URI} is {model_uri!r}, expected s3://bucket/prefix/name/: mend it in {CONFIG}")
    return f"arn:*:s3:::{found[1]}/*" if found else None


def _with_model(policy: Any, objects: str | None) -> Any:
    statements = [
        {**one, "Resource": objects} if _is_on_model(one) else one
        for one in _statements(policy)
        if objects or not _is_on_model(one)
    ]
    return {**policy, "Statement": statements}


def _statements(policy: Any) -> list[Any]:
    return list(policy["Statement"])


def _is_on_model(statement: Any) -> bool:
    return bool(statement["Resource"] == MODEL)


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
