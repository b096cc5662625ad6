"""Labels."""

from pathlib import Path
from typing import NamedTuple

from chalicelib.errors import ModelError
from chalicelib.inference.registry import parse_labels
from convert.errors import ConvertError
from convert.sources import IMAGENET_OUTPUTS


class Labels(NamedTuple):
    """The labels, and the number of the model's first outputs that have none."""

    names: tuple[str, ...]
    offset: int
    binary: bool = False


def labelled(
    own: tuple[str, ...] | None, outputs: int, labels_file: Path | None, validation: Path | None
) -> tuple[Labels, tuple[str, ...]]:
    """The labels, and notes for the user; raises ConvertError if the labels do not fit the outputs."""
    labels = read_labels(labels_file) if labels_file else own
    if labels is None:
        note = "no labels given: the classes are called 'class 0', 'class 1', ...; give --labels FILE to name them"
        return Labels(tuple(f"class {i}" for i in range(outputs)), 0), (note,)
    if len(labels) == outputs:
        return Labels(labels, 0), ()
    if (len(labels), outputs) == (2, 1):
        return Labels(labels, 0, True), ()
    if (len(labels), outputs) == IMAGENET_OUTPUTS:  # the first output is "background"
        return Labels(labels, 1), ()
    raise ConvertError(
        f"{len(labels)} labels{f' in {labels_file}' if labels_file else ''} for a model of {outputs} outputs: "
        "give --labels FILE with one line for each output"
    )


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels in a file, one on each line; raises ConvertError."""
    try:
        return parse_labels(path.read_bytes())
    except OSError as error:
        raise ConvertError(f"cannot read the labels {path}: {error.strerror}") from error
    except ModelError as error:
        raise ConvertError(f"{path}: {error}") from error
