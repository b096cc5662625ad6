"""The networks that are compared, and the pictures on which engines are calibrated and judged.

The trained networks and the pictures come with no checkout: the folder of SLIMCEPTION_TEST_DATA holds them. Without it
the networks have random weights. Their times are the same, and their agreement says nothing.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chalicelib.inference.card import InputSpec
from convert.errors import ConvertError
from convert.pictures import find_pictures, tensors

VARIABLE = "SLIMCEPTION_TEST_DATA"


@dataclass(frozen=True)
class Network:
    """One network, as the converter is asked for it."""

    name: str
    title: str
    options: dict[str, Any]
    """Fields of `convert.options.Options`."""
    trained: bool
    smaller_px: tuple[int, ...] = ()
    """Sides of smaller pictures for which it is converted, too (`--input-size`)."""


def networks(data: Path | None) -> list[Network]:
    """Inception v3 first: trained ones if the folder has them, else with random weights."""
    found = []
    both = (("inception_v3", "Inception v3", (219, 235)), ("mobilenet_v2", "MobileNet v2", (192,)))
    for name, title, smaller_px in both:
        folder = data / "tfjs" / f"nsfwjs_{name}" if data else None
        if folder and folder.is_dir():
            found.append(Network(name, title, {"source": str(folder), "preprocess": "unit"}, True, smaller_px))
        else:
            found.append(Network(name, title, {"source": name, "weights": "none"}, False))
    return found


def data_folder() -> Path | None:
    """The folder of test data, or None."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given and Path(given).is_dir() else None


@dataclass(frozen=True)
class Pictures:
    """Folders of pictures, those of one not in the other."""

    calibration: Path
    judged: Path

    @classmethod
    def prepare(cls, data: Path | None, folder: Path) -> "Pictures":
        """Copy every second sample picture for calibration and all others to be judged on; without them, make some."""
        found = cls(folder / "calibration", folder / "judged")
        for each in (found.calibration, found.judged):
            shutil.rmtree(each, ignore_errors=True)
            each.mkdir(parents=True)
        if data is None:
            for number, picture in enumerate(_made()):
                picture.save((found.judged if number % 2 else found.calibration) / f"{number}.png")
            return found
        for number, path in enumerate(find_pictures(data / "imagenet_sample", "calibration")):
            shutil.copyfile(path, (found.judged if number % 2 else found.calibration) / path.name)
        for path in sorted((data / "hostile").glob("exif-samples__*.jp*g")):  # photographs by a dozen cameras
            shutil.copyfile(path, found.judged / path.name)
        return found


def inputs(folder: Path, spec: InputSpec) -> NDArray[np.float32]:
    """The pictures of a folder that can be decoded, as the float network's input: float32 (N, H, W, 3)."""
    return np.concatenate([tensor for path in find_pictures(folder, "calibration") for tensor in _readable(path, spec)])


def with_mirrored(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, H, W, 3) to (2N, H, W, 3): then one picture that two classes share is less than a hundredth of all."""
    return np.concatenate([pictures, pictures[:, :, ::-1]])


def _readable(path: Path, spec: InputSpec) -> list[NDArray[Any]]:
    try:
        return list(tensors([path], spec))
    except ConvertError:  # some of the photographs are damaged on purpose
        return []


def _made() -> Iterator[Image.Image]:
    rng = np.random.default_rng(0)
    for _ in range(8):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        yield coarse.resize((299, 299), Image.Resampling.BICUBIC)
