"""Builds the runtime layer: LiteRT, numpy and Pillow, slimmed, with bytecode, and for arm64 the list of processors."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from layers.build.archive import zip_folder
from layers.build.bytecode import add_bytecode
from layers.build.sbom import SUFFIX, layer_sbom, write_sbom
from layers.build.wheels import REQUIREMENTS, download, unpack
from layers.compiler import compile_library
from layers.cpulist import library
from layers.targets import Target

MOUNTED_AT = "/opt/python"
"""Where a function sees a layer's `python` folder."""


@dataclass(frozen=True)
class BuiltLayer:
    """A zip, and a sentence on the bytecode in it."""

    path: Path
    bytecode: str


def build_runtime_layer(target: Target, folder: Path, requirements: Path = REQUIREMENTS) -> BuiltLayer:
    """Write `folder/runtime-<target>.zip`, and its bill of materials beside it; the same input gives the same bytes.

    Raises LayerError.
    """
    path = folder / f"runtime-{target.name}.zip"
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        wheels, tree = Path(scratch, "wheels"), Path(scratch, "layer")
        fetched = download(target, requirements, wheels)
        compiled = unpack(fetched, tree / "python", target)
        if library.is_needed_on(target.arch):
            compile_library(target, library.SOURCE, tree / library.PATH)
            compiled.append(tree / library.PATH)
        bytecode = add_bytecode(target.python, tree / "python", MOUNTED_AT)
        zip_folder(path, tree)
        write_sbom(path.with_suffix(SUFFIX), layer_sbom(path.stem, fetched, tree, compiled))
    return BuiltLayer(path, bytecode)
