"""Which source a command line means. TensorFlow is imported only for the sources that need it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convert.errors import ConvertError
from convert.options import Options
from convert.screen import quiet_libraries, working
from convert.sources import Source, named


@contextmanager
def opened(options: Options) -> Iterator[Source]:
    """The source that `options.source` names, under the bundle's name; raises ConvertError.

    The block's end deletes the pictures that the source may have written for its `defaults`.
    """
    if options.source == "digits":
        with _digits() as source:
            yield named(source, options.name)
        return
    with working(f"Reading {options.source}"), quiet_libraries():
        source = _open(options)
    yield named(source, options.name)


@contextmanager
def _digits() -> Iterator[Source]:
    _need_tensorflow()
    with quiet_libraries():
        from convert.digits.source import trained_digits

    with trained_digits() as source:
        yield source


def _open(options: Options) -> Source:
    text, path = options.source, Path(options.source)
    if text == "inception_v3":
        _need_tensorflow()
        from convert.opening.applications import open_inception

        return open_inception(options)
    if not path.exists():
        raise ConvertError(f"{text}: no such file or built-in source; give a file, a folder, inception_v3 or digits")
    if path.suffix == ".tflite":
        from convert.opening.tflite import open_tflite

        return open_tflite(path)
    if not path.is_dir() and path.suffix not in (".keras", ".h5", ".hdf5"):
        raise ConvertError(f"{text}: expected a .keras, .h5 or .tflite file, or the folder of a SavedModel")
    _need_tensorflow()
    if path.is_dir():
        from convert.opening.saved_models import open_saved_model

        return open_saved_model(path, options)
    from convert.opening.keras_files import open_keras

    return open_keras(path, options)


def _need_tensorflow() -> None:
    try:
        with quiet_libraries():
            import tensorflow  # noqa: F401
    except ImportError as error:
        raise ConvertError("TensorFlow is not installed: run `make convert-env`") from error
