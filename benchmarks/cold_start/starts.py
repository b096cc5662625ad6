"""Lays out what is started: the packaged function and the layers as Lambda unpacks them, and the network in Keras."""

import base64
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from convert.__main__ import main as convert
from convert.screen import quiet_libraries
from layers.build.bytecode import compile_modules
from layers.build.function import function_contents
from layers.build.wheels import REQUIREMENTS, download, unpack
from layers.targets import local_target

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
KERAS = "TensorFlow and Keras"
CLEAN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
AS_DEPLOYED = json.loads((PROJECT / ".chalice" / "config.json").read_text())["environment_variables"]
NOT_CACHED = ", not in the disk cache"
STANDARD_LIBRARY = Path(os.__file__).parent


class Start(NamedTuple):
    """One way of answering."""

    command: list[str]
    environment: dict[str, str]
    read_from: tuple[Path, ...] = ()
    """Folders and files to drop from the disk cache before each start."""

    def files(self) -> Iterator[Path]:
        """All of them as files."""
        for place in self.read_from:
            yield from (path for path in (place, *place.rglob("*")) if path.is_file())


def prepare(folder: Path, other: Path | None) -> dict[str, Start]:
    """Write everything below `folder`; returns each variant. `other` is a second checkout."""
    event, picture = write_event(folder)
    bundles = folder / "bundles"
    given = ["inception_v3", "--weights", "none", "--out", str(bundles)]
    if convert(given) != 0:
        raise SystemExit("Inception v3 cannot be converted")
    wheels = download(local_target(), REQUIREMENTS, folder / "wheels")
    cached, dropped = {}, {}
    for name, (project, slimmed, bytecode) in variants(other).items():
        root = folder / name
        task, opt = lay_out(root, project, wheels, bundles, slimmed, bytecode)
        script = str(HERE / "answer_event.py")
        command = [sys.executable, "-I", "-S", "-B", script, str(task), str(opt), str(event)]
        cached[name] = Start(command, {**CLEAN, **AS_DEPLOYED})
        if bytecode:
            read_from = (root, bundles, STANDARD_LIBRARY, Path(sys.executable).resolve())
            dropped[name + NOT_CACHED] = Start(command, {**CLEAN, **AS_DEPLOYED}, read_from)
    return {**cached, **dropped, KERAS: Start(keras_command(folder, picture), CLEAN)}


def variants(other: Path | None) -> dict[str, tuple[Path, bool, bool]]:
    """Name to project, whether its layer is slimmed, and whether it has bytecode."""
    layers, modules = {True: "slimmed", False: "whole wheels"}, {True: "bytecode", False: "no bytecode"}
    own = {
        f"{layers[slimmed]}, {modules[bytecode]}": (PROJECT, slimmed, bytecode)
        for slimmed in layers
        for bytecode in modules
    }
    return own | ({f"slimmed, bytecode, {other.resolve().name}": (other, True, True)} if other else {})


def write_event(folder: Path) -> tuple[Path, Path]:
    """An API Gateway event for `POST /predict`, and its picture: a smooth one of 640x480."""
    picture = folder / "picture.jpg"
    gradient = Image.linear_gradient("L").resize((640, 480))
    Image.merge("RGB", (gradient, gradient.rotate(180), gradient)).save(picture, quality=90)
    image = base64.b64encode(picture.read_bytes()).decode()
    event: dict[str, Any] = {
        "requestContext": {"httpMethod": "POST", "resourcePath": "/predict", "requestId": "benchmark"},
        "headers": {"content-type": "application/json"},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": json.dumps({"image": image}),
        "isBase64Encoded": False,
    }
    (folder / "event.json").write_text(json.dumps(event))
    return folder / "event.json", picture


def lay_out(
    root: Path, project: Path, wheels: list[Path], bundles: Path, slimmed: bool, bytecode: bool
) -> tuple[Path, Path]:
    """Unpack the project's function and the layers: (/var/task, /opt)."""
    task, opt = root / "task", root / "opt"
    function_contents(project).extract(task)
    if slimmed:
        unpack(wheels, opt / "python", local_target())
    else:
        for wheel in wheels:
            zipfile.ZipFile(wheel).extractall(opt / "python")
    (task / "models").symlink_to(bundles)
    if bytecode:
        for folder in (task, opt / "python"):
            compile_modules(Path(sys.executable), folder, str(folder))
    return task, opt


def keras_command(folder: Path, picture: Path) -> list[str]:
    """Save the whole network, 96 MB; returns the command line that loads it and answers."""
    with quiet_libraries():
        import keras

        keras.applications.InceptionV3(weights=None).save(folder / "inception_v3.keras")
    return [sys.executable, str(HERE / "answer_with_keras.py"), str(folder / "inception_v3.keras"), str(picture)]
