"""The project packaged with settings of a test, and with a toy for the layer, which is not proven."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from layers.__main__ import main
from tests.support.paths import ROOT
from tests.support.templates import REGION, Template
from tests.support.wheelhouse import write_zip


def project_with(folder: Path, stage: str, **variables: str) -> Path:
    """A copy of the project in which a stage has these variables."""
    project = folder / "project"
    ignored = shutil.ignore_patterns("deploy*", "__pycache__")
    for name in (".chalice", "chalicelib"):
        shutil.copytree(ROOT / name, project / name, ignore=ignored)
    shutil.copy(ROOT / "app.py", project)
    (project / "requirements.txt").touch()
    config: dict[str, Any] = json.loads((project / ".chalice/config.json").read_text())
    config["stages"][stage]["environment_variables"] |= variables
    (project / ".chalice/config.json").write_text(json.dumps(config))
    return project


def packaged(folder: Path, **variables: str) -> Template:
    """The template of stage prod with these variables."""
    write_zip(folder / "layers/runtime-py313-arm64.zip", {"lib/libcpulist.so": b"", "python/tiny.py": b""})
    project = project_with(folder, "prod", **variables)
    options = ["--stage", "prod", "--project", project, "--out", folder / "layers", "--package", folder / "out"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        for part in ("_lint", "_prove"):
            patch.setattr(f"layers.deploy.package.{part}", lambda *_: ())
        assert main(["package", *map(str, options)]) == 0
    parsed: Template = json.loads((folder / "out/sam.json").read_text())
    return parsed
