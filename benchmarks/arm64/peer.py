"""ONNX Runtime's int8 on arm64, beside LiteRT: the wheel of the same lock file, and a model of the same network."""

import shutil
from pathlib import Path

import numpy as np

from benchmarks.arm64.counting import Counter, Counts
from benchmarks.inception.models import AS_EXPORTED, write_all
from benchmarks.peers import others
from benchmarks.peers.environments import LOCKED, python_of
from layers.emulator.emulator import Emulator
from localaws.host.packages import install

NAME = "ONNX Runtime int8"


def count_it(emulator: Emulator, folder: Path, has_sys: bool, inferences: int) -> Counts:
    """Of one inference. Raises PeerMissing, PackagesMissing, EmulatorError or CompilerMissing."""
    packages = install(emulator.interpreter, LOCKED["onnxruntime"])
    model = _model(folder / "onnx")
    return Counter(emulator, packages, has_sys, engine="onnxruntime").one_inference(model, inferences)


def _model(folder: Path) -> Path:
    """The graph as exported, quantised by ONNX Runtime's own tool on this machine; counts do not depend on values."""
    python = python_of("onnxruntime")
    folder.mkdir()
    exported = write_all(folder, ["float32"], as_exported=True)[f"float32{AS_EXPORTED}"]
    shutil.copyfile(exported, folder / "float32.tflite")
    rng = np.random.default_rng(0)
    np.save(folder / "calibration.npy", rng.uniform(-1, 1, (4, 299, 299, 3)).astype(np.float32))
    return others.onnx(python, folder, "arm64")["int8"]
