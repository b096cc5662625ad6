"""What one answer of an engine takes apart from time: memory, megabytes to ship, and how right it is."""

import json
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.agreement import Agreement
from benchmarks.peers.models import Model, Prepared
from benchmarks.peers.others import run
from chalicelib.inference.classifier import scores_of
from localaws.processor.mask import Shown

LAMBDA_UNZIPPED_MB = 250
"""Code and layers together (AWS Lambda developer guide, "Lambda quotas")."""


@dataclass(frozen=True)
class Size:
    """Megabytes of 1,000,000 bytes."""

    unzipped_mb: float
    zipped_mb: float | None
    """None for what does not fit into Lambda anyway: compressing it takes minutes."""

    def __add__(self, other: "Size") -> "Size":
        """Both together."""
        zipped = None if self.zipped_mb is None or other.zipped_mb is None else self.zipped_mb + other.zipped_mb
        return Size(self.unzipped_mb + other.unzipped_mb, zipped)


@dataclass(frozen=True)
class Needs:
    """Of one model in its engine, on one thread."""

    peak_mb: float
    """Resident memory at its highest, in a process that answers one picture, which is decoded already."""
    packages: Size
    """The engine, NumPy, Pillow and what they need, whole packages as they are installed, and the model."""
    loaded: Size
    """Of these the files that one answer reads, and the model: what nobody can leave out."""


def agreement(model: Model, prepared: Prepared, shown: Shown) -> Agreement:
    """The engine's answers against the network's own, under the processor that is shown; raises SystemExit."""
    with TemporaryDirectory() as folder:
        raw, _ = _answered(model, model.judged or prepared.judged, Path(folder), shown, threads=1)
    return Agreement.of(np.stack([scores_of(row, model.output) for row in raw]), prepared.expected)


def needs(model: Model, prepared: Prepared, shown: Shown) -> Needs:
    """In a process that answers one picture; raises SystemExit."""
    with TemporaryDirectory() as folder:
        one = Path(folder, "one.npy")
        np.save(one, np.load(model.judged or prepared.judged, mmap_mode="r")[:1])
        _, said = _answered(model, one, Path(folder), shown, threads=1)
    shipped = size(tuple(model.files))
    return Needs(said["peak_mb"], *(size(tuple(map(Path, said[kind]))) + shipped for kind in ("packages", "loaded")))


@lru_cache
def size(paths: tuple[Path, ...]) -> Size:
    """Files together, and in one zip."""
    unzipped = sum(path.stat().st_size for path in paths) / 1e6
    return Size(unzipped, _zipped_mb(paths) if unzipped <= LAMBDA_UNZIPPED_MB else None)


def _zipped_mb(paths: tuple[Path, ...]) -> float:
    with TemporaryDirectory() as folder:
        made = Path(folder, "all.zip")
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in paths:
                archive.write(path)
        return made.stat().st_size / 1e6


def _answered(
    model: Model, pictures: Path, folder: Path, shown: Shown, threads: int
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Raw outputs (N, classes) of a .npy of pictures, and what `answer` says of its process."""
    scores = folder / "scores.npy"
    given = (model.runner, str(model.path), str(pictures), str(scores), str(threads))
    said = run(model.python, "benchmarks.peers.answer", *given, environment=shown.process_environment())
    return np.load(scores), json.loads(said.splitlines()[-1])
