"""The bundles to tune, and a picture for each: installed bundles, the embedded one, and Inception v3 made here."""

import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from chalicelib.config import EMBEDDED_MODELS
from convert.modes import Mode
from localaws.deploy.deployer import PROJECT

EMBEDDED = "digits"
MADE: dict[str, Mode] = {"inception_v3": "dynamic", "inception_v3_int8": "int8"}
"""Bundles that are converted if they are requested and not installed. Their weights are random: the speed does not
depend on the weights."""
PHOTOGRAPH_PX = (500, 375)
"""Width and height of most of ImageNet's pictures, which have 110 kB on average."""
DETAIL = 0.3
_DIGIT = PROJECT / "tests" / "data" / "seven.png"
_LINKED = (".chalice", "app.py", "chalicelib", "requirements.txt")


class UnknownBundle(Exception):
    """The bundle is neither installed nor one of `MADE`, or it cannot be made."""


def lay_out(names: list[str], folder: Path, project: Path = PROJECT) -> list[str]:
    """Make `folder` a project to deploy, with these bundles; returns their names. Raises UnknownBundle.

    Without names: the embedded bundle, and all installed bundles; if none are installed, those of `MADE`.
    """
    installed = sorted(card.parent.name for card in (project / "models").glob("[!.]*/model.json"))
    names = names or [EMBEDDED, *(installed or MADE)]
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    for name in _LINKED:
        _link(folder / name, project / name)
    for link in models.iterdir():
        if link.is_symlink():
            link.unlink()
    for name in names:
        if name in installed:
            _link(models / name, project / "models" / name)
        elif name in MADE:
            _link(models / name, _made(name, folder / "made"))
        elif not (EMBEDDED_MODELS / name / "model.json").is_file():
            known = ", ".join(sorted({EMBEDDED, *installed, *MADE}))
            raise UnknownBundle(f"--model {name}: no such bundle; choose one of {known}")
    return names


def picture_for(name: str) -> bytes:
    """The bytes of a picture that a client of this bundle would send."""
    return _DIGIT.read_bytes() if name == EMBEDDED else photograph()


def photograph(seed: int = 0) -> bytes:
    """A JPEG of about 100 kB with detail at every scale, as in a photograph; it takes as long to decode as one."""
    rng = np.random.default_rng(seed)
    width, height = PHOTOGRAPH_PX
    total = np.zeros((height, width, 3))
    for cells in (3, 8, 20, 50, 125, 250, 500):
        noise = rng.integers(0, 256, (cells * height // width + 1, cells, 3), dtype=np.uint8)
        layer = Image.fromarray(noise).resize(PHOTOGRAPH_PX, Image.Resampling.BICUBIC)
        total += (np.asarray(layer, dtype=np.float64) - 127.5) * (3 / cells) ** DETAIL
    pixels = np.clip(127.5 + total, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def _made(name: str, folder: Path) -> Path:
    """The bundle's folder; converts it at the first call."""
    if not (folder / name / "model.json").is_file():
        from convert.__main__ import main as convert  # TensorFlow takes seconds to import

        with tempfile.TemporaryDirectory(prefix="slimception-") as pictures:
            for seed in range(4):
                Path(pictures, f"{seed}.jpg").write_bytes(photograph(seed))
            given = ["inception_v3", "--weights", "none", "--quantize", MADE[name], "--name", name]
            calibration = ["--calibration", pictures] if MADE[name] == "int8" else []
            if convert([*given, *calibration, "--out", str(folder)]) != 0:
                raise UnknownBundle(f"{name} cannot be converted on this machine; install it with make model")
    return folder / name


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target.resolve())
