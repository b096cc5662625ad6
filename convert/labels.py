"""The labels of a model: read from a file of any usual form, checked, and fitted to the model's outputs."""

import codecs
import os
import re
import shlex
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from chalicelib.inference.card import MAX_CLASSES, OutputSpec, Scores
from chalicelib.inference.registry import MAX_LABEL, MAX_LABELS_BYTES
from convert.errors import ConvertError
from convert.label_json import is_json, labels_in_json
from convert.label_text import TEXT, Listed, clean, labels_in_text
from convert.sources import IMAGENET_OUTPUTS

_SHOWN = 3
_OWN_LIST = "a list"
_TWINS = ((134, 517), (638, 639), (836, 837), (657, 744))
"""Classes of ImageNet, counted from 0 without the background, to which published lists give one name.

"crane" twice in the list of synonyms, in Keras's and in TensorFlow's; "maillot" in the latter two; "sunglasses" and
"missile" in OpenAI's. The lists of torchvision, and of ImageNet-A and -R in timm, repeat nothing. Doubles at any other
place of such a list, and in any shorter list, are accidents: a line that was pasted twice.
"""
_WORDNET_LABELS = 10_000
"""So long a list is WordNet's: ImageNet-21k has 525 names of several classes, its part of 12,000 has 238."""
_FOREIGN = re.compile(r"\s*(?:<(?:!doctype|html|\?xml)|version https://git-lfs)", re.I)


class Labels(NamedTuple):
    """The labels of a model and how they fit its outputs."""

    names: tuple[str, ...]
    """One for each class."""
    offset: int
    """Number of the model's first outputs that have no label."""
    binary: bool = False
    """Whether the two labels belong to one output, which is the score of the second one."""

    def output(self, scores: Scores) -> OutputSpec:
        """The card's output for a model with these labels."""
        return OutputSpec(len(self.names), scores, self.offset, self.binary).checked()


def labelled(
    source_labels: tuple[str, ...] | None, outputs: int, labels_file: Path | None, validation: Path | None
) -> tuple[Labels, tuple[str, ...]]:
    """The labels, and notes for the user; raises ConvertError if the labels do not fit the outputs.

    The user's file goes before the source's labels. `validation`, the folder of `--validation`, is only looked at if
    there are neither.
    """
    if labels_file:
        listed = read_labels(labels_file)
        return _fitted(listed, outputs, str(labels_file))
    if source_labels:
        return _fitted(_own(source_labels), outputs, "the model's metadata")
    labels = Labels(tuple(f"class {i}" for i in range(max(outputs, 2))), 0, binary=outputs == 1)
    last = "'class 1'" if outputs <= 2 else "'class 1', ..."
    note = f"no labels given: the classes are called 'class 0', {last}; give --labels FILE to name them"
    return labels, (note, *_proposal(validation, len(labels.names)))


def read_labels(path: Path) -> Listed:
    """The labels in a file, whatever its name; raises ConvertError. None of them is blank, no two are the same."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LABELS_BYTES + 1)
    except OSError as error:
        raise ConvertError(f"cannot read the labels {path}: {error.strerror}") from error
    try:
        text = _decoded(data)
        return _checked(labels_in_json(text) if is_json(text) else labels_in_text(text))
    except ConvertError as error:
        raise ConvertError(f"{path}: {error}") from error


def _own(labels: tuple[str, ...]) -> Listed:
    """The labels that the source brings along."""
    try:
        return _checked(Listed(_OWN_LIST, tuple(map(clean, labels)), "label"))
    except ConvertError as error:
        raise ConvertError(
            f"the labels in the model's metadata cannot be served, give --labels FILE: {error}"
        ) from error


def _decoded(data: bytes) -> str:
    """UTF-8, or what the byte order mark says: Windows's Notepad writes UTF-16, too."""
    if len(data) > MAX_LABELS_BYTES:
        raise ConvertError(f"more than {MAX_LABELS_BYTES:,} bytes: give --labels a file with one label on each line")
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in data and not is_wide:
        raise _foreign()
    try:
        text = data.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConvertError(f"the file is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    if "\0" in text or _FOREIGN.match(text):
        raise _foreign()
    return text


def _foreign() -> ConvertError:
    return ConvertError(
        "not a file of labels but binary, a web page or a Git LFS pointer: fetch the file itself, as UTF-8"
    )


def _checked(listed: Listed) -> Listed:
    """The same labels if the bundle's `labels.txt` can hold them, none is blank and no two are the same."""
    names, read = listed.names, f"read as {_described(listed)}"
    blank = [i for i, name in enumerate(names) if not name]
    if not names or len(blank) == len(names):
        raise ConvertError("there are no labels in it: give one on each line, in the order of the model's outputs")
    if len(names) > MAX_CLASSES:
        raise ConvertError(f"{read}: at most {MAX_CLASSES:,} are served")
    if blank:
        raise ConvertError(f"{read}: no label stands at {listed.places(blank[:_SHOWN])}: delete it, or name the class")
    for i, name in enumerate(names):
        if len(name) > MAX_LABEL or any(unicodedata.category(c) in ("Cc", "Cs") and c != "\t" for c in name):
            raise ConvertError(
                f"{read}: the label of {listed.places([i])} is longer than {MAX_LABEL:,} characters, "
                f"or holds a line break or another control character: {name[:40]!a}; shorten it"
            )
    doubled = _doubled(names)
    if doubled and len(names) < _WORDNET_LABELS:
        name, places = next(iter(doubled.items()))
        where = listed.places(places[:_SHOWN])
        raise ConvertError(f"{read}: {name!r} stands at {where}: delete what was doubled, or make the labels differ")
    return listed


def _doubled(names: tuple[str, ...]) -> dict[str, list[int]]:
    """Each label that stands there more than once, with its indices; not those to which ImageNet gives one name."""
    found = defaultdict(list)
    for index, name in enumerate(names):
        found[name].append(index)
    background = len(names) - IMAGENET_OUTPUTS[0]
    twins = [[i + background for i in twin] for twin in _TWINS] if len(names) in IMAGENET_OUTPUTS else []
    return {name: places for name, places in found.items() if len(places) > 1 and places not in twins}


def _fitted(listed: Listed, outputs: int, where: str) -> tuple[Labels, tuple[str, ...]]:
    names, count, from_1 = listed.names, len(listed.names), listed.counts_from_1
    notes = [] if listed.form in (TEXT, _OWN_LIST) else [f"{where} was read as {_described(listed)}"]
    notes += [f"{where}: {note}" for note in listed.notes]
    if count == outputs or (count, outputs) == (2, 1):
        if from_1:
            notes.append(f"{where} counts from 1: {names[0]!r} is the model's first output, index 0 in answers")
        return Labels(names, 0, binary=count > outputs), tuple(notes)
    if (count, outputs) == IMAGENET_OUTPUTS or (count + 1 == outputs and from_1):
        if from_1:
            notes.append(f"{where} counts from 1: the model's first output has no label and is never predicted")
        return Labels(names, 1), tuple(notes)
    expected = "one label for each output, in their order"
    raise ConvertError(
        f"{where} was read as {_described(listed)}, for a model of {outputs:,} output{'s' * (outputs != 1)}: "
        f"give --labels FILE with {'two labels, or one' if outputs == 1 else expected}"
    )


def _described(listed: Listed) -> str:
    """As "a JSON dictionary of 12 labels ('cat', 'dog', 'hen', ...)"."""
    count = len(listed.names)
    first = ", ".join(repr(name[:40]) for name in listed.names[:_SHOWN]) + ", ..." * (count > _SHOWN)
    return f"{listed.form} of {count:,} label{'s' * (count != 1)} ({first})"


def _proposal(validation: Path | None, classes: int) -> tuple[str, ...]:
    """A note that names --validation's folders as labels, if they are as many as the classes.

    Keras's `image_dataset_from_directory` sorts them so; `ls` appends a slash to each, which would sort otherwise.
    """
    if not validation or not validation.is_dir():
        return ()
    folders = [entry.name for entry in os.scandir(validation) if entry.is_dir() and not entry.name.startswith(".")]
    names = sorted(folders, key=os.fsencode)
    if len(names) != classes or not all(name.isprintable() and name == clean(name) for name in names):
        return ()
    shown = ", ".join(repr(name) for name in names[:_SHOWN]) + ", ..." * (classes > _SHOWN)
    command = f"(cd {shlex.quote(str(validation))} && ls -d -- */) | tr -d / | LC_ALL=C sort > labels.txt"
    return (
        f"--validation has {classes} folders ({shown}); if the model was trained on folders of these names in Keras's "
        f"order, write them with `{command}` and give --labels labels.txt",
    )
