"""What a Keras file says of its network, read without loading it. Both of Keras's formats are read, zip and HDF5."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py

from convert.errors import ConvertError

MOST_CONFIG_BYTES = 64 << 20
"""The largest network of keras.applications has half a megabyte."""
MOST_BYTES = 4 << 30
"""Of a zip's files, unpacked: a .tflite file ends at 2 GB."""
_CONFIG, _METADATA = "config.json", "metadata.json"
_ATTRIBUTE, _VERSION = "model_config", "keras_version"
LOW_PRECISION = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64", "half")
_POLICIES = ("DTypePolicy", "FloatDTypePolicy", "Policy", "PolicyV1")


class Saved(NamedTuple):
    """A whole Keras model on disk."""

    path: Path
    config: dict[str, Any]
    """The network, as Keras writes it: {"class_name": ..., "config": {...}, ...}."""
    version: str
    """Of Keras, such as "2.4.0"; "" if the file does not say it."""
    is_zip: bool

    @property
    def by_keras_2(self) -> bool:
        """Whether Keras 2 wrote it, or an earlier one."""
        return self.version[:2] in ("2.", "1.", "0.") or (not self.is_zip and not self.version)


def read(path: Path) -> Saved:
    """The configuration in a .keras or HDF5 file, whatever its name; raises ConvertError."""
    return _from_zip(path) if zipfile.is_zipfile(path) else _from_hdf5(path)


def parsed(text: str | bytes, path: Path) -> Any:
    """JSON of bounded size and depth; raises ConvertError."""
    if len(text) > MOST_CONFIG_BYTES:
        raise ConvertError(
            f"{path}: the description of the network has {len(text) >> 20} MB, at most {MOST_CONFIG_BYTES >> 20} MB "
            "are read: save the model again"
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConvertError(
            f"{path} is damaged: its description of the network is no JSON ({type(error).__name__}); save it again"
        ) from error


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a configuration, outer ones first, in the order of the file."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting += reversed([part for name, part in item.items() if name != "compile_config"])
        elif isinstance(item, list):
            waiting += reversed(item)


def layers_of(network: dict[str, Any]) -> list[dict[str, Any]]:
    """The configurations of a network's layers; Keras before 2.3 wrote the list itself as a Sequential's."""
    inner = network.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    return [layer for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []


def in_float32(config: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The configuration with float32 in place of every other float type, and a note; the same one if it had none."""
    found: set[str] = set()
    changed = _float32(config, found)
    if not found:
        return config, ()
    return changed, (f"{', '.join(sorted(found))} was put to float32, in which it is converted and compared",)


@contextmanager
def file_of(saved: Saved, config: dict[str, Any]) -> Iterator[Path]:
    """A file of the model with this configuration and a name as Keras expects it; raises ConvertError."""
    suffix = ".keras" if saved.is_zip else ".h5"
    if config is saved.config and saved.path.suffix == suffix:
        yield saved.path
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model").with_suffix(suffix)
        if config is saved.config:
            path.symlink_to(saved.path.resolve())
        elif saved.is_zip:
            _copy_zip(saved.path, path, config)
        else:
            shutil.copyfile(saved.path, path)
            with h5py.File(path, "r+") as file:
                file.attrs[_ATTRIBUTE] = json.dumps(config)
        yield path


def _float32(value: Any, found: set[str]) -> Any:
    if isinstance(value, list):
        return [_float32(item, found) for item in value]
    if not isinstance(value, dict):
        return value
    inner = value.get("config")
    if value.get("class_name") in _POLICIES and isinstance(inner, dict) and inner.get("name") in LOW_PRECISION:
        found.add(inner["name"])
        return {**value, "config": {**inner, "name": "float32"}}
    changed = {}
    for key, item in value.items():
        if key in ("dtype", "value_dtype") and isinstance(item, str) and item in LOW_PRECISION:
            found.add(item)
            item = "float32"
        changed[key] = _float32(item, found)
    return changed


def _from_zip(path: Path) -> Saved:
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive, path)
            config = parsed(archive.read(_CONFIG), path)
            metadata = parsed(archive.read(_METADATA), path) if _METADATA in archive.namelist() else {}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError) as error:
        raise ConvertError(
            f"{path} is damaged ({type(error).__name__}): save the model again, or copy it again"
        ) from error
    version = metadata.get(_VERSION, "") if isinstance(metadata, dict) else ""
    return Saved(path, _network(config, path), str(version), True)


def _check(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise ConvertError for a zip that is encrypted, too large or no Keras model."""
    entries = archive.infolist()
    if any(entry.flag_bits & 1 for entry in entries):
        raise ConvertError(f"{path} is encrypted: unpack it with its password, and convert what is in it")
    if _CONFIG not in archive.namelist():
        raise ConvertError(f"{path} is no Keras model: the zip lacks {_CONFIG}; give the file that model.save writes")
    if archive.getinfo(_CONFIG).file_size > MOST_CONFIG_BYTES or sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise ConvertError(f"{path} unpacks to more than {MOST_BYTES >> 30} GB: no Lambda function holds such a model")


def _from_hdf5(path: Path) -> Saved:
    try:
        with h5py.File(path, "r") as file:
            config, version = file.attrs.get(_ATTRIBUTE), file.attrs.get(_VERSION, "")
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ConvertError(
            f"{path} is no HDF5 file, or a damaged one: save the model again, or copy it again"
        ) from error
    if config is None:
        raise ConvertError(f"{path} is no Keras model: it has no {_ATTRIBUTE}; give the file that model.save writes")
    return Saved(path, _network(parsed(_text(config), path), path), _text(version), False)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _network(config: Any, path: Path) -> dict[str, Any]:
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise ConvertError(f"{path} is no Keras model: its description names no network; save it with model.save")
    return config


def _copy_zip(source: Path, target: Path, config: dict[str, Any]) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            if entry.filename == _CONFIG:
                new.writestr(_CONFIG, json.dumps(config))
                continue
            with old.open(entry) as reading, new.open(entry.filename, "w", force_zip64=True) as writing:
                shutil.copyfileobj(reading, writing, 1 << 20)
