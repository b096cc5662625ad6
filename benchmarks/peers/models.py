"""Every form of a network that is measured: ours by the converter, and the same files in the engines that read them."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from benchmarks.peers import others
from benchmarks.peers.environments import PeerMissing, python_of
from benchmarks.peers.sources import Network, Pictures, inputs, with_mirrored
from chalicelib.inference.card import OutputSpec
from chalicelib.inference.classifier import scores_of
from chalicelib.inference.registry import load_card
from convert.modes import MODES, Mode
from convert.opening.opened import opened
from convert.options import Options
from convert.pipeline import convert
from convert.screen import console, quiet_libraries
from convert.sources import Source

AS_EXPORTED = " as exported"
OWN = Path(sys.executable)
IN_TFLITE_RUNTIME: tuple[Mode, ...] = ("float32", "float16", "int8")
"""It loads no dynamic range of today's converters."""
IN_TENSORFLOW: tuple[Mode, ...] = ("float32", "dynamic", "int8")


@dataclass(frozen=True)
class Model:
    """A row of the tables."""

    engine: str
    """As tables have it."""
    mode: str
    runner: str
    """A key of `engines.ENGINES`."""
    python: Path
    path: Path
    """What the engine is given."""
    output: OutputSpec
    judged: Path | None = None
    """A .npy of the pictures as it takes them; None: as its network does."""

    @property
    def name(self) -> str:
        """Engine and mode."""
        return f"{self.engine} {self.mode}"

    @property
    def files(self) -> list[Path]:
        """What has to be shipped: OpenVINO keeps the weights beside the graph."""
        return [self.path, *self.path.parent.glob(f"{self.path.stem}.bin")]


@dataclass(frozen=True)
class Prepared:
    """All forms of one network."""

    network: Network
    models: list[Model]
    judged: Path
    """A .npy, float32 (N, H, W, 3)."""
    expected: NDArray[np.float64]
    """What the network's own framework answers in float, (N, classes)."""
    left_out: Mapping[str, str]
    """Engines that are not measured, and why."""


def prepare(network: Network, pictures: Pictures, folder: Path) -> Prepared:
    """Write every form below `folder`; raises ConvertError. An engine that is missing here is left out."""
    options = Options(**network.options, calibration=pictures.calibration, out=folder)
    with opened(options) as source:
        ours = _ours(source, options, network.title) + _smaller(network, options, pictures)
        spec = load_card(folder / "float32").input
        judged = with_mirrored(inputs(pictures.judged, spec))
        np.save(folder / "judged.npy", judged)
        np.save(folder / "calibration.npy", inputs(pictures.calibration, spec))
        (folder / "float32.tflite").write_bytes(source.tflite)
        output = OutputSpec(source.outputs)
        expected = np.stack([_answer(source, picture[np.newaxis], output) for picture in judged])
    (folder / "source.json").write_text(json.dumps(network.options))
    keras = Model("Keras", "float32", "keras", OWN, folder / "source.json", output)
    tensorflow = [replace(model, engine="TensorFlow", runner="tensorflow") for model in _of(ours, IN_TENSORFLOW)]
    found, left_out = _of_peers(ours, output, folder)
    return Prepared(network, [*ours, *found, *tensorflow, keras], folder / "judged.npy", expected, left_out)


def _answer(source: Source, picture: NDArray[np.float32], output: OutputSpec) -> NDArray[np.float64]:
    return scores_of(np.asarray(source.scores(picture), np.float64).reshape(-1), output)


def _ours(source: Source, options: Options, title: str) -> list[Model]:
    """Each mode, with the converter's rewrites and without."""
    models = []
    wanted = [(mode, rewrite) for mode in MODES for rewrite in (True, False)]
    for mode, rewrite in track(wanted, f"Converting {title}", console=console):
        name = mode if rewrite else mode + AS_EXPORTED
        with quiet_libraries():
            card = convert(replace(source, name=name), replace(options, quantize=mode, rewrite=rewrite)).card
        models.append(Model("LiteRT", name, "litert", OWN, options.out / name / "model.tflite", card.output))
    return models


def _smaller(network: Network, options: Options, pictures: Pictures) -> list[Model]:
    """The same weights for smaller pictures (`--input-size`), in 8 bits."""
    models = []
    for side in track(network.smaller_px, f"Converting {network.title} for smaller pictures", console=console):
        name = f"int8 at {side} px"
        with opened(replace(options, input_size=(side, side))) as source, quiet_libraries():
            card = convert(replace(source, name=name), replace(options, quantize="int8")).card
        judged = options.out / f"judged-{side}.npy"
        np.save(judged, with_mirrored(inputs(pictures.judged, card.input)))
        path = options.out / name / "model.tflite"
        models.append(Model("LiteRT", name, "litert", OWN, path, card.output, judged))
    return models


def _of(ours: list[Model], modes: tuple[Mode, ...]) -> list[Model]:
    return [model for model in ours if model.mode in modes]


def _of_peers(ours: list[Model], output: OutputSpec, folder: Path) -> tuple[list[Model], dict[str, str]]:
    """The same network in the other engines; and by the name of one that is left out, why."""
    models, left_out = [], {}
    for name, (title, runner, make) in others.MAKERS.items():
        try:
            python = python_of(name)
        except PeerMissing as error:
            left_out[title] = str(error)
            continue
        with console.status(f"Making the models of {title} ..."):
            paths = make(python, folder)
        models += [Model(title, mode, runner, python, path, output) for mode, path in paths.items()]
    return _with_tflite_runtime(ours, models, left_out), left_out


def _with_tflite_runtime(ours: list[Model], models: list[Model], left_out: dict[str, str]) -> list[Model]:
    """It runs our files."""
    try:
        python = python_of("tflite-runtime")
    except PeerMissing as error:
        left_out["tflite-runtime"] = str(error)
        return models
    same = _of(ours, IN_TFLITE_RUNTIME)
    return [
        *(replace(model, engine="tflite-runtime", runner="tflite_runtime", python=python) for model in same),
        *models,
    ]
