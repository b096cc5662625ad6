"""Reads and edits .chalice/config.json, whose stages name their layers."""

import json
from pathlib import Path
from typing import Any

from layers.build.archive import written_aside
from layers.errors import StageError

CONFIG = Path(".chalice") / "config.json"


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


def write_layers(project: Path, stage: str, arns: list[str], arch: str) -> bool:
    """Name the layers and their processor in the stage, in one step; gives whether that changed anything.

    Raises StageError.
    """
    config = read_config(project, stage)
    wanted = {**config["stages"][stage], "layers": arns, "lambda_architecture": arch}
    if config["stages"][stage] == wanted:
        return False
    config["stages"][stage] = wanted
    with written_aside(project / CONFIG) as aside:
        aside.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return True
