"""Reads and edits .chalice/config.json, whose stages name their layers."""

import json
from pathlib import Path
from typing import Any

from layers.build.archive import written_aside
from layers.cpulist import library
from layers.errors import StageError

CONFIG = Path(".chalice") / "config.json"
_VARIABLES, _FUNCTIONS = "environment_variables", "lambda_functions"
_LAYERS, _ARCHITECTURE, _NEEDS_NOTHING = "layers", "lambda_architecture", "x86_64"
API_HANDLER, FRONT, CANARY = "api_handler", "front", "canary"
"""Functions that a configuration need not name: Chalice's name of the one behind a REST API; the one behind another
front, as app.py names it; the scheduled check."""
FRONT_VARIABLE = "FRONT"
REST, HTTP, URL = FRONTS = ("rest", "http", "url")
"""What stands before the API's function, the first one if the stage does not say it."""


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


def of_function(config: dict[str, Any], stage: str, function: str, name: str) -> Any:
    """A setting of a function in a stage; None if nothing says it.

    Source: chalice.config, `Config._chain_lookup`.
    """
    for part in (config["stages"][stage], config):
        for chosen in (part.get(_FUNCTIONS, {}).get(function, {}), part):
            if chosen.get(name) is not None:
                return chosen[name]
    return None


def front_of(config: dict[str, Any], stage: str) -> str:
    """What stands before the API's function in a stage; raises StageError for an unknown front."""
    front = variable(config, stage, FRONT_VARIABLE) or REST
    if front not in FRONTS:
        raise StageError(f"stage {stage} has {FRONT_VARIABLE}={front!r}: expected one of {', '.join(FRONTS)}")
    return front


def api_function(front: str) -> str:
    """Chalice's name of the function behind a front."""
    return API_HANDLER if front == REST else FRONT


def write_layers(project: Path, stage: str, arns: list[str], arch: str) -> bool:
    """Name the layers, their processor and what it needs in the stage, in one step; gives whether anything changed.

    Raises StageError.
    """
    config = read_config(project, stage)
    named = {_LAYERS: arns, _ARCHITECTURE: arch}
    return _write(project, config, stage, {**_with_preload(config["stages"][stage], arch, config), **named})


def forget_layers(project: Path, stage: str) -> bool:
    """Take out of the stage what `write_layers` wrote; gives whether anything changed. Raises StageError."""
    config = read_config(project, stage)
    rest = {name: value for name, value in config["stages"][stage].items() if name not in (_LAYERS, _ARCHITECTURE)}
    return _write(project, config, stage, _with_preload(rest, _NEEDS_NOTHING, config))


def layers_of_others(project: Path, stage: str) -> set[str]:
    """The ARNs of the layers that other stages name. Raises StageError."""
    stages = read_config(project, stage)["stages"]
    return {arn for name, chosen in stages.items() if name != stage for arn in chosen.get(_LAYERS, [])}


def known_functions(project: Path, stage: str) -> set[str]:
    """Chalice's names of the functions that a stage has or may have had; raises StageError."""
    config = read_config(project, stage)
    parts = (config, config["stages"][stage])
    return {API_HANDLER, FRONT, CANARY}.union(*(part.get(_FUNCTIONS, {}) for part in parts))


def _write(project: Path, config: dict[str, Any], stage: str, wanted: dict[str, Any]) -> bool:
    if config["stages"][stage] == wanted:
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
