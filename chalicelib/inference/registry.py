"""Model bundles on disk: `<directory>/<name>/{model.tflite,labels.txt,model.json}`."""

import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from chalicelib.errors import ModelError
from chalicelib.inference.card import ModelCard

MODEL_FILE, LABELS_FILE, CARD_FILE = "model.tflite", "labels.txt", "model.json"


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
    """
    found: dict[str, Path] = {}
    for directory in directories:
        if directory.is_dir():
            for folder in sorted(directory.iterdir()):
                if not folder.name.startswith(".") and (folder / CARD_FILE).is_file():
                    found.setdefault(folder.name, folder)
    return found


def load_bundle(path: Path) -> Bundle:
    """Read a bundle and check its parts: card, labels, and the model file's SHA-256.

    The checksum is compared before an engine reads the file: a damaged file can end the process, and a file that
    lacks its end loads without an error. Raises ModelError; the message names the bundle, but not its folder.
    """
    try:
        card = load_card(path)
        labels = _read_labels(path, card.output.classes)
        _verify_model_file(path, card)
    except ModelError as error:
        raise ModelError(f"model {path.name!r}: {error}") from error
    return Bundle(path, card, labels)


def load_card(path: Path) -> ModelCard:
    """Read the card of the bundle in `path`; raises ModelError. The folder's name is the model's name."""
    try:
        fields = json.loads((path / CARD_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{CARD_FILE} is missing") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{CARD_FILE} cannot be read as JSON: copy the bundle again") from error
    return replace(ModelCard.from_dict(fields), name=path.name)


def parse_labels(data: bytes) -> tuple[str, ...]:
    """The labels of a UTF-8 file with one label a line, with or without a byte order mark; raises ModelError.

    A line ends with LF, CRLF or CR. `str.splitlines` would also split a label that holds a U+2028.
    """
    try:
        return tuple(line.strip() for line in io.StringIO(data.decode("utf-8-sig").rstrip(), newline=None))
    except UnicodeDecodeError as error:
        raise ModelError(f"{LABELS_FILE} is not UTF-8 (byte {error.start})") from error


def _read_labels(path: Path, classes: int) -> tuple[str, ...]:
    try:
        labels = parse_labels((path / LABELS_FILE).read_bytes())
    except OSError as error:
        raise ModelError(f"{LABELS_FILE} is missing or unreadable") from error
    if len(labels) != classes:
        raise ModelError(f"{LABELS_FILE} has {len(labels)} labels, the card says {classes} classes")
    return labels


def _verify_model_file(path: Path, card: ModelCard) -> None:
    try:
        with open(path / MODEL_FILE, "rb") as model:
            start = model.read(40)
            size_bytes = model.seek(0, 2)
            model.seek(0)
            digest = hashlib.file_digest(model, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{MODEL_FILE} is missing or unreadable") from error
    if digest != card.sha256:
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
