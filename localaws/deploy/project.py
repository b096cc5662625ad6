"""A copy of the project to deploy from, since deploying writes into `.chalice`."""

import json
import shutil
from pathlib import Path

DEPLOYED = ("app.py", "requirements.txt", "chalicelib", "vendor")
"""What Chalice puts into the function's zip, and what it reads to do so."""
_STATE = shutil.ignore_patterns("deployed", "deployments", "__pycache__")


def copy(project: Path, into: Path) -> Path:
    """Copy what Chalice reads, without its record of real deployments; an earlier copy is replaced.

    `layers publish` writes ARNs into .chalice/config.json, and `chalice deploy` writes what it made into
    .chalice/deployed. ARNs of this machine's AWS must never mix with those of an account.
    """
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(project / ".chalice", into / ".chalice", ignore=_STATE)
    for name in DEPLOYED:
        if (project / name).is_dir():
            shutil.copytree(project / name, into / name, ignore=_STATE)
        elif (project / name).exists():
            shutil.copy2(project / name, into / name)
    return into


def choose_front(copied: Path, stage: str, front: str, reserved: int | None) -> None:
    """Write into a copy's configuration what stands before the API's function, and how many instances it may have."""
    path = copied / ".chalice" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    chosen = config["stages"][stage]
    chosen.setdefault("environment_variables", {})["FRONT"] = front
    if reserved is not None:
        chosen.setdefault("lambda_functions", {}).setdefault("front", {})["reserved_concurrency"] = reserved
    path.write_text(json.dumps(config, indent=2), encoding="utf-8")
