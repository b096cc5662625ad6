"""Lays out what is started: the packaged function as Lambda unpacks it, and the same network in other engines."""

import base64
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from benchmarks.peers import others
from benchmarks.peers.environments import PeerMissing, python_of
from benchmarks.peers.sources import Pictures, data_folder, inputs, networks
from chalicelib.inference.registry import load_card
from convert.modes import Mode
from convert.opening.opened import opened
from convert.options import Options
from convert.pipeline import convert
from convert.screen import quiet_libraries
from layers.build.bytecode import compile_modules
from layers.build.function import function_contents
from layers.build.wheels import REQUIREMENTS, download, unpack
from layers.targets import local_target

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
KERAS = "TensorFlow and Keras"
PACKAGED, BARE = "packaged, {}", "LiteRT, bare script, {}"
PEERS = {"onnxruntime": "ONNX Runtime, bare script, int8", "openvino": "OpenVINO, bare script, int8"}
"""The environment's name to the name in tables."""
MODES: tuple[Mode, ...] = ("dynamic", "int8")
BUNDLE = "inception_v3"
CLEAN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
AS_DEPLOYED = json.loads((PROJECT / ".chalice" / "config.json").read_text()).get("environment_variables", {})
NOT_CACHED = ", not in the disk cache"
STANDARD_LIBRARY = Path(os.__file__).parent
ISOLATED = ("-I", "-S", "-B")


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


class Prepared(NamedTuple):
    """Every variant by its name, and the engines that are left out, with the reason."""

    starts: dict[str, Start]
    left_out: dict[str, str]


def prepare(folder: Path, other: Path | None, threads: int) -> Prepared:
    """Write everything below `folder`. `other` is a second checkout."""
    event, picture = write_event(folder)
    write_models(folder)
    wheels = download(local_target(), REQUIREMENTS, folder / "wheels")
    environment = {**CLEAN, **AS_DEPLOYED, "NUM_THREADS": str(threads)}
    cached, dropped = {}, {}
    for name, variant in variants(other).items():
        root, bundles = folder / name, folder / variant.mode
        task, opt = lay_out(root, variant, wheels, bundles)
        command = [sys.executable, *ISOLATED, str(HERE / "answer_event.py"), str(task), str(opt), str(event)]
        cached[name] = Start(command, environment)
        if variant.bytecode:
            read_from = (root, bundles, STANDARD_LIBRARY, Path(sys.executable).resolve())
            dropped[name + NOT_CACHED] = Start(command, environment, read_from)
    whole = folder / "whole wheels, bytecode" / "opt" / "python"
    for mode in MODES:
        model = folder / mode / BUNDLE / "model.tflite"
        cached[BARE.format(mode)] = bare(Path(sys.executable), whole, "litert", model, picture, threads)
    peers, left_out = bare_peers(folder, picture, threads)
    keras = {**CLEAN, "TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1"}
    return Prepared({**cached, **peers, **dropped, KERAS: Start(keras_command(folder, picture), keras)}, left_out)


class Variant(NamedTuple):
    """A form of the packaged function."""

    project: Path = PROJECT
    mode: Mode = "dynamic"
    slimmed: bool = True
    bytecode: bool = True


def variants(other: Path | None) -> dict[str, Variant]:
    """Name to variant: each mode as it is deployed, and what slimming and bytecode are worth."""
    own = {PACKAGED.format(mode): Variant(mode=mode) for mode in MODES} | {
        "slimmed, no bytecode": Variant(bytecode=False),
        "whole wheels, bytecode": Variant(slimmed=False),
        "whole wheels, no bytecode": Variant(slimmed=False, bytecode=False),
    }
    return own | ({f"{PACKAGED.format('dynamic')}, {other.resolve().name}": Variant(other)} if other else {})


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


def write_models(folder: Path) -> None:
    """Inception v3 as a bundle in each mode, and what other engines make their models of."""
    data = data_folder()
    pictures = Pictures.prepare(data, folder)
    options = Options(**networks(data)[0].options, calibration=pictures.calibration)
    with opened(options) as source, quiet_libraries():
        for mode in MODES:
            convert(replace(source, name=BUNDLE), replace(options, quantize=mode, out=folder / mode))
        spec = load_card(folder / MODES[0] / BUNDLE).input
        (folder / "float32.tflite").write_bytes(source.tflite)
    np.save(folder / "calibration.npy", inputs(pictures.calibration, spec))


def lay_out(root: Path, variant: Variant, wheels: list[Path], bundles: Path) -> tuple[Path, Path]:
    """Unpack the project's function and the layers: (/var/task, /opt)."""
    task, opt = root / "task", root / "opt"
    function_contents(variant.project).extract(task)
    if variant.slimmed:
        unpack(wheels, opt / "python", local_target())
    else:
        for wheel in wheels:
            zipfile.ZipFile(wheel).extractall(opt / "python")
    (task / "models").symlink_to(bundles)
    if variant.bytecode:
        for folder in (task, opt / "python"):
            compile_modules(Path(sys.executable), folder, str(folder))
    return task, opt


def bare(python: Path, site: Path, engine: str, model: Path, picture: Path, threads: int) -> Start:
    """A script with an engine and nothing else; `site` has its packages."""
    given = (site, engine, model, picture, threads)
    return Start([str(python), *ISOLATED, str(HERE / "answer_bare.py"), *map(str, given)], CLEAN)


def bare_peers(folder: Path, picture: Path, threads: int) -> tuple[dict[str, Start], dict[str, str]]:
    """The starts of the engines that have an environment each; why one is left out."""
    found, left_out = {}, {}
    for name, title in PEERS.items():
        try:
            python = python_of(name)
            _, engine, make = others.MAKERS[name]
            model = make(python, folder)["int8"]
        except (PeerMissing, SystemExit) as error:
            left_out[title] = str(error)
            continue
        (site,) = (python.parents[1] / "lib").glob("python*/site-packages")
        found[title] = bare(python, site, engine, model, picture, threads)
    return found, left_out


def keras_command(folder: Path, picture: Path) -> list[str]:
    """Save the whole network, 96 MB; returns the command line that loads it and answers."""
    with quiet_libraries():
        import keras

        keras.applications.InceptionV3(weights=None).save(folder / "inception_v3.keras")
    return [sys.executable, str(HERE / "answer_with_keras.py"), str(folder / "inception_v3.keras"), str(picture)]
