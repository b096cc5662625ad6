"""Builds one layer for each model bundle, mounted at /opt/models/<name>."""

import re
from pathlib import Path

from chalicelib.errors import ModelError
from chalicelib.inference.registry import CARD_FILE, LABELS_FILE, MODEL_FILE, load_bundle
from layers.build.archive import write_zip
from layers.errors import BundleError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What may stand in a layer's name. Source: AWS Lambda API, PublishLayerVersion."""


def build_model_layers(models: Path, folder: Path) -> list[Path]:
    """Write `folder/model-<name>.zip` for each bundle in `models`; raises BundleError.

    Zips of models that no longer exist are deleted, or they would be published again.
    """
    bundles = sorted(p for p in models.iterdir() if p.is_dir() and p.name[0] != ".") if models.is_dir() else []
    built = [build_model_layer(bundle, folder) for bundle in bundles]
    for stale in set(folder.glob("model-*.zip")) - set(built):
        stale.unlink()
    return built


def build_model_layer(bundle: Path, folder: Path) -> Path:
    """Verify a bundle's checksum and labels, then write its layer; raises BundleError."""
    if not _NAME.fullmatch(bundle.name):
        raise BundleError(f"{bundle}: a layer's name takes letters, digits, - and _ only: rename the folder")
    try:
        load_bundle(bundle)
    except ModelError as error:
        raise BundleError(f"{bundle}: {error}") from error
    files = [bundle / MODEL_FILE, bundle / LABELS_FILE, bundle / CARD_FILE, *sorted(bundle.glob("LICENSE*"))]
    contents = {f"models/{bundle.name}/{file.name}": file for file in files}
    path = folder / f"model-{bundle.name}.zip"
    write_zip(path, list(contents), lambda name: contents[name].read_bytes())
    return path
