"""Which model a path holds: a file, a folder or a zip, by what is in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from convert.errors import ConvertError
from convert.opening.foreign import FOREIGN, refusal
from convert.opening.kinds import kind_of
from convert.opening.unpacked import MOST_FILES, unpacked

MODELS = ("keras", "hdf5", "tflite", "saved_model", "tfjs")
"""keras: Keras 3's zip. hdf5: a whole Keras model in HDF5. saved_model: the file `saved_model.pb`, or its folder. tfjs:
the model.json of a TensorFlow.js layers model."""
LABELS = (
    "labels.txt",
    "label.txt",
    "labels.json",
    "class_names.txt",
    "classes.txt",
    "class_indices.json",
    "class_names.json",
    "dict.txt",
    "labelmap.txt",
    "labels.csv",
)
"""Names under which exports have their labels: Teachable Machine's first, AutoML's dict.txt."""
_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")
_TELLS_NOTHING = ("text", "json", "picture", "document", "unknown", "empty", "numpy")
_SHOWN = 6


class Content(NamedTuple):
    """A model that was found."""

    kind: str
    """One of MODELS."""
    path: Path
    """The file; of a SavedModel its folder, of a TensorFlow.js model its model.json."""
    given: Path
    """What the user gave: the same, or a folder or zip around it."""
    inside: str = ""
    """Where the model is in it, if it is around the model."""
    labels: Path | None = None
    """A file of labels beside the model, if a folder or zip was given."""


@contextmanager
def content_of(path: Path) -> Iterator[Content]:
    """The only model at a path; raises ConvertError, and OSError. What was unpacked for it is deleted at the end."""
    if path.is_dir():
        yield _in_folder(path, path)
    elif not path.is_file():
        raise ConvertError(f"{path} is neither a file nor a folder: give the model's file")
    elif (kind := kind_of(path)) == "zip":
        with unpacked(path) as folder:
            yield _in_folder(folder, path)
    else:
        yield _file(path, kind)


def _file(path: Path, kind: str) -> Content:
    if kind not in MODELS:
        raise refusal(path, kind)
    if kind != "saved_model":
        return Content(kind, path, path)
    if path.name not in _GRAPHS:
        raise ConvertError(
            f"{path} is the graph of a SavedModel: its folder needs it as saved_model.pb, beside variables/; "
            "give the folder"
        )
    folder = path.absolute().parent
    return Content(kind, folder, folder)


def _in_folder(folder: Path, given: Path) -> Content:
    """The only model in a folder, at any depth; `given` is the folder itself or the zip that it comes from."""
    if any((folder / name).is_file() for name in _GRAPHS):
        return Content("saved_model", folder, given)
    kinds = _kinds(folder, given)
    models = {path: kind for path, kind in kinds.items() if kind in MODELS}
    if len(models) == 1:
        ((path, kind),) = models.items()
        is_folder = kind == "tfjs" and path.parent == folder  # such a model is a folder: it is the given one
        inside = "" if is_folder else str(path.relative_to(folder))
        return Content(kind, path, given, inside, _labels(path if path.is_dir() else path.parent, folder))
    if models:
        raise ConvertError(
            f"{given} holds {len(models)} models ({_listed(models, folder)}): "
            f"{'unpack it and ' if given != folder else ''}give one of them"
        )
    _refuse_parts(folder, given)
    for path, kind in kinds.items():
        if kind in FOREIGN and kind not in _TELLS_NOTHING:
            raise refusal(given / path.relative_to(folder), kind)
    raise ConvertError(
        f"{given} holds no model{f' ({_listed(kinds, folder)})' if kinds else ''}: give a SavedModel's folder, "
        "with saved_model.pb in it, or a folder or zip with one .keras, .h5 or .tflite file or a TensorFlow.js model"
    )


def _kinds(folder: Path, given: Path) -> dict[Path, str]:
    """Each file below a folder, with its kind; of a SavedModel only its folder."""
    files = []
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            files.append(path)
        if len(files) > MOST_FILES:
            raise ConvertError(f"{given} holds more than {MOST_FILES:,} files: give the model's own file or folder")
    saved = {path.parent for path in files if path.name in _GRAPHS}
    others = sorted(path for path in files if saved.isdisjoint(path.parents))
    return {**dict.fromkeys(sorted(saved), "saved_model"), **{path: kind_of(path) for path in others}}


def _refuse_parts(folder: Path, given: Path) -> None:
    """Raise ConvertError for folders that are whole models in a form that is not read."""
    if (folder / "model.weights.h5").exists() and (folder / "config.json").exists():
        raise ConvertError(
            f"{given} holds the parts of a .keras file: zip them again, (cd {given} && zip -r ../model.keras .), "
            "and give that"
        )
    if (folder / "variables").is_dir():
        raise ConvertError(
            f"{given} has the variables of a SavedModel and lacks its saved_model.pb: copy the whole folder, "
            "or write it again with model.export('DIR')"
        )
    if (folder / "Data").is_dir() and (folder / "Manifest.json").exists():
        raise refusal(given, "coreml")


def _labels(nearest: Path, folder: Path) -> Path | None:
    """The file of labels beside a model, or at the root of what was given."""
    places = (nearest, nearest.parent, folder) if nearest != folder else (folder,)
    return next((place / name for place in places for name in LABELS if (place / name).is_file()), None)


def _listed(paths: dict[Path, str], folder: Path) -> str:
    names = [str(path.relative_to(folder)) for path in paths]
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
