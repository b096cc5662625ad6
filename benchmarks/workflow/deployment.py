"""Deploys the project into `localaws` with a second model, as into an account: layers, functions, state machine."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from benchmarks.workflow.second_model import write_second
from chalicelib.inference.registry import MODEL_FILE
from layers.build.model_layer import build_model_layers
from layers.pythons import Interpreter
from localaws.cloud.local_aws import LocalAws
from localaws.deploy import project
from localaws.deploy.deployer import PROJECT, Deployer, Deployment, Say, is_stale

FIRST, SECOND, CORRUPT, ABSENT = "digits", "digits-float16", "digits-corrupt", "digits-absent"
LAYERS = PROJECT / "build" / "layers"
EMBEDDED = PROJECT / "chalicelib" / "models" / FIRST


def deploy(cloud: LocalAws, python: Interpreter, folder: Path, say: Say) -> Deployment:
    """Deploy from a copy in `folder`. The project's models and layers stay as they are."""
    copied = project.copy(PROJECT, folder / "project")
    layers = copied / "build" / "layers"
    layers.mkdir(parents=True)
    shutil.copy2(_runtime_layer(Deployer(cloud, python, say=say)), layers)
    write_second(EMBEDDED, copied / "models", SECOND)
    shutil.copytree(copied / "models" / SECOND, copied / "models" / CORRUPT)
    _damage(build_model_layers(copied / "models", layers)[0])
    return Deployer(cloud, python, copied, say=say).deploy()


def _runtime_layer(deployer: Deployer) -> Path:
    """The project's runtime layer, built first if it is missing or stale."""
    options, name = deployer.layer_options()
    if is_stale(LAYERS, name, PROJECT / "models"):
        subprocess.run([sys.executable, "-m", "layers", "build", *options], cwd=PROJECT, check=True)
    return LAYERS / name


def _damage(layer: Path) -> None:
    """Flip a bit in the middle of the model, as a bad copy would."""
    with zipfile.ZipFile(layer) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(layer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            changed = bytearray(content)
            if name.endswith(MODEL_FILE):
                changed[len(changed) // 2] ^= 4
            archive.writestr(name, bytes(changed))
