"""Which source a command line means. TensorFlow is imported only for the sources that need it."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from convert.errors import ConvertError
from convert.labels import read_labels
from convert.opening.content import Content, content_of
from convert.opening.networks import NETWORKS, near
from convert.options import Options
from convert.screen import quiet_libraries, working
from convert.sources import IMAGENET_OUTPUTS, Source, named, sha256_of

_SUFFIXES = re.compile(r"(\.(keras|h5|hdf5|tflite|lite|zip|pb|pbtxt|json|task|bin))+$", re.I)
_MOST_CHARACTERS = 64


@contextmanager
def opened(options: Options) -> Iterator[Source]:
    """The source that `options.source` names, under the bundle's name; raises ConvertError.

    The block's end deletes the pictures that the source may have written for its `defaults`.
    """
    if options.source == "digits":
        with _digits() as source:
            yield _sized(named(source, options.name), options)
        return
    with ExitStack() as unpacked:
        with working(f"Reading {options.source}"), quiet_libraries():
            source = _sized(named(_open(options, unpacked), options.name), options)
        yield source


@contextmanager
def _digits() -> Iterator[Source]:
    _need_tensorflow()
    with quiet_libraries():
        from convert.digits.source import trained_digits

    with trained_digits() as source:
        yield source


def _sized(source: Source, options: Options) -> Source:
    from convert.opening.resized import at_size

    return at_size(source, options.input_size)


def _open(options: Options, unpacked: ExitStack) -> Source:
    text, path = options.source, Path(options.source)
    if text in NETWORKS:
        _need_tensorflow()
        from convert.opening.applications import open_application

        return open_application(text, options)
    if options.weights != "imagenet":
        raise ConvertError(
            f"--weights {options.weights}: {text} is no network of keras.applications, like inception_v3; leave it out"
        )
    if not path.exists():
        raise ConvertError(
            f"{text}: no such file or built-in source; give a file, a folder, digits, or a network of "
            f"keras.applications, such as inception_v3{near(text)}"
        )
    content = unpacked.enter_context(content_of(path))
    return _as_given(_read(content, options), content, options)


def _read(content: Content, options: Options) -> Source:
    if content.kind == "tflite":
        from convert.opening.tflite import open_tflite

        return open_tflite(content.path, options)
    _need_tensorflow()
    if content.kind == "saved_model":
        from convert.opening.saved_models import open_saved_model

        return open_saved_model(content.path, options)
    if content.kind == "tfjs":
        from convert.opening.tfjs import open_tfjs

        return open_tfjs(content.path, options)
    from convert.opening.keras_files import open_keras

    return open_keras(content.path, options)


def _as_given(source: Source, content: Content, options: Options) -> Source:
    """The source with what was around its file: name and hash of what the user gave, and the labels beside it."""
    given = content.given
    if given == content.path:
        return replace(source, name=_bundle_name(source.name or given.resolve().name))
    name = given.name or given.resolve().name
    origin, notes = {**source.origin, "file": name, "sha256": sha256_of(given)}, source.notes
    if content.inside:
        origin["inside"] = content.inside
        notes += (f"{content.inside} in {given} is the model",)
    source = replace(source, name=_bundle_name(_SUFFIXES.sub("", name)), origin=origin, notes=notes)
    return source if options.labels or source.labels or not content.labels else _with_labels(source, content.labels)


def _with_labels(source: Source, path: Path) -> Source:
    """The source with the labels in a file beside it, if they fit, and a note."""
    try:
        labels = read_labels(path).names
    except ConvertError as error:
        return replace(source, notes=(*source.notes, f"{path.name} beside the model was not used: {error}"))
    if len(labels) == source.outputs or (len(labels), source.outputs) in ((2, 1), IMAGENET_OUTPUTS):
        note = f"the labels are those of {path.name} beside the model"
        return replace(source, labels=labels, notes=(*source.notes, note))
    note = f"{path.name} beside the model was not used: it has {len(labels)} labels, the model {source.outputs} outputs"
    return replace(source, notes=(*source.notes, note))


def _bundle_name(text: str) -> str:
    """A name with the characters that bundles' names may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:_MOST_CHARACTERS].strip("-._") or "model"


def _need_tensorflow() -> None:
    try:
        with quiet_libraries():
            import tensorflow  # noqa: F401
    except ImportError as error:
        raise ConvertError("TensorFlow is not installed: run `make convert-env`") from error
