"""A copy of the project to deploy from, since deploying writes into `.chalice`."""

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
