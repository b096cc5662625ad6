"""Model bundles on disk: `<directory>/<name>/{model.tflite,labels.txt,model.json}`."""

import codecs
import errno
import io
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from chalicelib import strict_json
from chalicelib.errors import ModelError
from chalicelib.inference.card import MAX_CLASSES, ModelCard

MODEL_FILE, LABELS_FILE, CARD_FILE = "model.tflite", "labels.txt", "model.json"
MAX_CARD_BYTES = 256 * 1024
"""A card has 1 kB. `/models` answers with all of them, and Lambda's answers have 6 MB."""
MAX_LABELS_BYTES = 10 * 1024 * 1024
MAX_LABEL = 1000
"""Characters of a label. All labels are read whenever a model is loaded, at each request while that fails."""


class Bundle(NamedTuple):
    """A bundle whose card, labels and model file agree."""

    path: Path
    card: ModelCard
    labels: tuple[str, ...]

    @property
    def model_path(self) -> Path:
        """The .tflite file."""
        return self.path / MODEL_FILE


def find_bundles(directories: Iterable[Path]) -> dict[str, Path]:
    """Name to folder of every bundle. If two bundles have the same name, the one in the earlier directory counts.

    A folder is a bundle if it holds a card. Hidden folders are left out: conversion writes into one and renames it.
    What cannot be looked into may be a bundle; it comes last, so that it is no default, and `load_card` says why.
    """
    found: dict[str, Path] = {}
    unreadable: dict[str, Path] = {}
    for directory in directories:
        try:
            folders = sorted(folder for folder in directory.iterdir() if not folder.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            folders = [directory]
        for folder in folders:
            name = folder.name.encode("utf-8", "backslashreplace").decode()
            if name not in found and name not in unreadable:
                holds_card = _holds_card(folder)
                if holds_card is not False:
                    (found if holds_card else unreadable)[name] = folder
    return found | unreadable


def _holds_card(folder: Path) -> bool | None:
    """Whether there is a card; None if the system does not say."""
    try:
        return stat.S_ISREG((folder / CARD_FILE).stat().st_mode)
    except OSError as error:
        return False if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) else None


def load_bundle(path: Path, quick: bool = False) -> Bundle:
    """Read a bundle and check its parts: card, labels, and the model file's SHA-256.

    If `quick`, the file's CRC-32 is compared in place of that, where the card has it. It is for bundles that were
    verified before they were installed, and finds what has been damaged, cut or exchanged since, though not what
    somebody forged. But who can do that can write another card as well.
    The checksum is compared before an engine reads the file: a damaged file can end the process, and a file that
    lacks its end loads without an error. Raises ModelError; the message names the bundle, but not its folder.
    """
    try:
        card = load_card(path)
        labels = _read_labels(path, card.output.classes)
        _verify_model_file(path, card, quick)
    except ModelError as error:
        raise ModelError(f"model {path.name!r}: {error}") from error
    return Bundle(path, card, labels)


def load_card(path: Path) -> ModelCard:
    """Read the card of the bundle in `path`; raises ModelError. The folder's name is the model's name."""
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise ModelError("the folder's name is not UTF-8: rename it") from error
    data = _read(path / CARD_FILE, MAX_CARD_BYTES)
    try:
        fields = strict_json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{CARD_FILE} cannot be read as JSON: copy the bundle again") from error
    return ModelCard.from_dict(fields)._replace(name=path.name)


def _read(path: Path, max_bytes: int) -> bytes:
    """A file of a bundle; raises ModelError. Pipes and devices, which may never end, are no files."""
    try:
        if not path.is_file():
            raise ModelError(f"{path.name} is missing")
        with open(path, "rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise ModelError(
            f"{path.name} is unreadable ({error.strerror}): check the rights of file and folder"
        ) from error
    if len(data) > max_bytes:
        raise ModelError(f"{path.name} has more than {max_bytes:,} bytes: copy the bundle again")
    return data


def parse_labels(data: bytes) -> tuple[str, ...]:
    """The labels of a UTF-8 file with one label a line, with or without a byte order mark; raises ModelError.

    A line ends with LF, CRLF or CR. `str.splitlines` would also split a label that holds a U+2028.
    """
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode().rstrip()  # the codec "utf-8-sig" is a module more
    except UnicodeDecodeError as error:
        raise ModelError(f"{LABELS_FILE} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    if max(text.count("\n"), text.count("\r")) >= MAX_CLASSES:
        raise ModelError(f"{LABELS_FILE} has more than {MAX_CLASSES:,} lines, which is the limit")
    labels = tuple(line.strip() for line in io.StringIO(text, newline=None))
    if any(len(label) > MAX_LABEL for label in labels):
        raise ModelError(
            f"{LABELS_FILE} has a line of more than {MAX_LABEL:,} characters: expected a label on each line"
        )
    return labels


def _read_labels(path: Path, classes: int) -> tuple[str, ...]:
    labels = parse_labels(_read(path / LABELS_FILE, MAX_LABELS_BYTES))
    if len(labels) != classes:
        raise ModelError(f"{LABELS_FILE} has {len(labels)} labels, the card says {classes} classes")
    return labels


def _verify_model_file(path: Path, card: ModelCard, quick: bool) -> None:
    try:
        if not (path / MODEL_FILE).is_file():
            raise ModelError(f"{MODEL_FILE} is missing")
        with open(path / MODEL_FILE, "rb") as model:
            start = model.read(40)
            size_bytes = model.seek(0, 2)
            model.seek(0)
            if quick and card.crc32:
                is_right = size_bytes == card.size_bytes > 0 and _crc32(model) == card.crc32
            else:
                is_right = _sha256(model) == card.sha256
    except OSError as error:
        raise ModelError(
            f"{MODEL_FILE} is unreadable ({error.strerror}): check the rights of file and folder"
        ) from error
    if not is_right:
        raise ModelError(
            f"{MODEL_FILE} is not the file that the card describes ({_resemblance(start)}{size_bytes} bytes, "
            f"expected {card.size_bytes}): convert the model again, or copy the bundle again"
        )


def _resemblance(start: bytes) -> str:
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, run `git lfs pull`; "
    if start.lstrip()[:1] == b"<":
        return "a web page; "
    return ""


def _sha256(file: io.BufferedReader) -> str:
    import hashlib  # loads OpenSSL: 3 ms

    return hashlib.file_digest(file, "sha256").hexdigest()


def _crc32(file: io.BufferedReader) -> str:
    """Of 24 MB in 3 ms by zlib-ng, which uses the processor's instructions for it; SHA-256 takes 18 to 50.

    The file is mapped, as the engine will map it: to read it would take 11 ms more.
    """
    import mmap

    try:
        from zlib_ng.zlib_ng import crc32
    except ImportError:
        from zlib import crc32
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return f"{crc32(content):08x}"
