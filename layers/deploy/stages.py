"""Reads and edits .chalice/config.json, whose stages name their layers."""

import json
from pathlib import Path
from typing import Any

from layers.build.archive import written_aside
from layers.cpulist import library
from layers.errors import StageError

CONFIG = Path(".chalice") / "config.json"
_VARIABLES, _FUNCTIONS = "environment_variables", "lambda_functions"


def read_config(project: Path, stage: str) -> dict[str, Any]:
    """The whole configuration; raises StageError if it cannot be read or has no stage of that name."""
    path = project / CONFIG
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        stages = sorted(config["stages"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StageError(f"{path} cannot be read as Chalice's configuration ({error!r}): restore it") from error
    if stage not in stages:
        raise StageError(f"{path} has no stage {stage!r}, only {', '.join(stages)}: choose one, or add it")
    return config


def variable(config: dict[str, Any], stage: str, name: str) -> str:
    """An environment variable of all functions of a stage; "" if it is not set."""
    return str(config["stages"][stage].get(_VARIABLES, {}).get(name, config.get(_VARIABLES, {}).get(name, "")))


def write_layers(project: Path, stage: str, arns: list[str], arch: str) -> bool:
    """Name the layers, their processor and what it needs in the stage, in one step; gives whether anything changed.

    Raises StageError.
    """
    config = read_config(project, stage)
    before = config["stages"][stage]
    wanted = {**_with_preload(before, arch, config), "layers": arns, "lambda_architecture": arch}
    if before == wanted:
        return False
    config["stages"][stage] = wanted
    with written_aside(project / CONFIG) as aside:
        aside.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return True


def _with_preload(stage: dict[str, Any], arch: str, config: dict[str, Any]) -> dict[str, Any]:
    """The stage with the LD_PRELOAD that the processor needs; what the user loads stays.

    Chalice merges the variables of a function of the stage over the stage's, and these over the configuration's. So
    the stage's reach every function, but for those that set LD_PRELOAD themselves.
    Source: chalice.config, `Config.environment_variables`.
    """
    changed = _loading(stage, arch, config.get(_VARIABLES, {}).get(library.VARIABLE, ""))
    functions = {
        name: _loading(function, arch) if library.VARIABLE in function.get(_VARIABLES, {}) else function
        for name, function in stage.get(_FUNCTIONS, {}).items()
    }
    return {**changed, _FUNCTIONS: functions} if functions else changed


def _loading(part: dict[str, Any], arch: str, inherited: str = "") -> dict[str, Any]:
    """A stage or a function whose variables load what it needs, unless it inherits just that."""
    variables = dict(part.get(_VARIABLES, {}))
    wanted = library.preload(arch, variables.pop(library.VARIABLE, inherited))
    if wanted != inherited:
        variables[library.VARIABLE] = wanted
    return {**part, _VARIABLES: variables} if variables else {n: v for n, v in part.items() if n != _VARIABLES}
