"""Bundles around the tiny models of tests/data/tiny, and the ways in which a bundle breaks."""

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from chalicelib.inference.registry import CARD_FILE, LABELS_FILE, MODEL_FILE
from tests.support import paths

DATA_DIR = paths.DATA
TINY_DIR = DATA_DIR / "tiny"
COLORS = ("red", "green", "blue")


def rgb_input(width: int = 8, height: int = 8, color: str = "RGB", crop: float = 1.0) -> dict[str, Any]:
    """An input of -1..1 in each channel."""
    channels = 1 if color == "L" else 3
    return {
        "width": width,
        "height": height,
        "color": color,
        "crop": crop,
        "mean": [127.5] * channels,
        "std": [127.5] * channels,
    }


UNIT_INPUT = rgb_input() | {"mean": [0.0] * 3, "std": [255.0] * 3}
LOGITS = {"classes": 3, "scores": "logits", "label_offset": 0}
PROBABILITIES = {"classes": 3, "scores": "probabilities", "label_offset": 0}
TINY_CARDS: dict[str, dict[str, Any]] = {
    "channels_float": {"input": rgb_input(), "output": LOGITS, "quantization": "float32"},
    "channels_int8": {"input": rgb_input(), "output": LOGITS, "quantization": "int8"},
    "channels_uint8": {"input": UNIT_INPUT, "output": PROBABILITIES, "quantization": "uint8"},
    "background_float": {
        "input": rgb_input(),
        "output": PROBABILITIES | {"label_offset": 1},
        "quantization": "float32",
    },
    "background_logits": {"input": rgb_input(), "output": LOGITS | {"label_offset": 1}, "quantization": "float32"},
    "grey_wide": {"input": rgb_input(10, 4, "L"), "output": LOGITS, "quantization": "float32"},
    "not_a_number": {"input": rgb_input(), "output": LOGITS, "quantization": "float32"},
    "two_outputs": {"input": rgb_input(), "output": LOGITS, "quantization": "float32"},
    "no_batch": {"input": rgb_input(), "output": LOGITS, "quantization": "float32"},
    "one_output": {
        "input": rgb_input(),
        "output": {"classes": 2, "scores": "sigmoid", "label_offset": 0, "binary": True},
        "quantization": "float32",
    },
}


def card_fields(model: str = "channels_float", **changes: Any) -> dict[str, Any]:
    """The card of a tiny model as JSON would hold it."""
    content = (TINY_DIR / f"{model}.tflite").read_bytes()
    return {
        "name": model,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "crc32": f"{zlib.crc32(content):08x}",
        "trained": True,
        "source": {"kind": "test"},
        "verification": {},
        **deepcopy(TINY_CARDS[model]),
        **changes,
    }


def write_bundle(directory: Path, model: str = "channels_float", name: str | None = None, **changes: Any) -> Path:
    """Write `directory/name/{model.tflite,labels.txt,model.json}`; the labels are red, green, and mostly blue.

    Whatever was called so is gone: a pipe would wait for a reader.
    """
    folder = directory / (name or model)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes((TINY_DIR / f"{model}.tflite").read_bytes())
    fields = card_fields(model, **changes)
    labels = COLORS[: fields["output"]["classes"]]
    (folder / LABELS_FILE).write_text("\n".join(labels) + "\n", encoding="utf-8")
    (folder / CARD_FILE).write_text(json.dumps(fields), encoding="utf-8")
    return folder


def _model(content: bytes) -> Callable[[Path], Any]:
    return lambda folder: (folder / MODEL_FILE).write_bytes(content)


def _labels(content: bytes) -> Callable[[Path], Any]:
    return lambda folder: (folder / LABELS_FILE).write_bytes(content)


def _card(content: bytes) -> Callable[[Path], Any]:
    return lambda folder: (folder / CARD_FILE).write_bytes(content)


def _card_without(*path: str) -> Callable[[Path], Any]:
    def change(folder: Path) -> None:
        fields = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        parent = fields
        for key in path[:-1]:
            parent = parent[key]
        del parent[path[-1]]
        (folder / CARD_FILE).write_text(json.dumps(fields), encoding="utf-8")

    return change


def card_with(**changes: Any) -> Callable[[Path], Any]:
    """Change fields of the card; `input__width=5` changes the width in `input`."""

    def change(folder: Path) -> None:
        fields = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        for name, value in changes.items():
            *parents, key = name.split("__")
            target = fields
            for parent in parents:
                target = target[parent]
            target[key] = value
        (folder / CARD_FILE).write_text(json.dumps(fields), encoding="utf-8")

    return change


def _card_text(old: str, new: str) -> Callable[[Path], Any]:
    """Change the card's text, for what no JSON writer writes."""

    def change(folder: Path) -> None:
        card = folder / CARD_FILE
        card.write_text(card.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")

    return change


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def _instead(name: str, make: Callable[[Path], Any]) -> Callable[[Path], Any]:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


def _truncate(folder: Path) -> None:
    model = folder / MODEL_FILE
    model.write_bytes(model.read_bytes()[:-64])


def _flip_bit(folder: Path) -> None:
    content = bytearray((folder / MODEL_FILE).read_bytes())
    content[len(content) // 2] ^= 4
    (folder / MODEL_FILE).write_bytes(content)


def _unlink(name: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).unlink()


LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 25165824\n"
DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "model file missing": (_unlink(MODEL_FILE), "model.tflite is missing"),
    "model file empty": (_model(b""), "(0 bytes, expected 412)"),
    "model file is a Git LFS pointer": (_model(LFS_POINTER), "run `git lfs pull`"),
    "model file is a web page": (_model(b"\n<!DOCTYPE html><html>404</html>"), "a web page"),
    "model file truncated": (_truncate, "(348 bytes, expected 412)"),
    "model file with one bit flipped": (_flip_bit, "is not the file that the card describes"),
    "labels missing": (_unlink(LABELS_FILE), "labels.txt is missing"),
    "one label too many": (_labels(b"red\ngreen\nblue\nviolet\n"), "has 4 labels, the card says 3 classes"),
    "one label too few": (_labels(b"red\ngreen\n"), "has 2 labels, the card says 3 classes"),
    "no labels": (_labels(b""), "has 0 labels, the card says 3 classes"),
    "labels not UTF-8": (_labels(b"red\ngr\xfcn\nblue\n"), "labels.txt is not UTF-8 (byte 6)"),
    "card missing": (_unlink(CARD_FILE), "no model is installed"),
    "card not JSON": (_card(b"{"), "model.json cannot be read as JSON"),
    "card not UTF-8": (_card(b'{"name": "\xff"}'), "model.json cannot be read as JSON"),
    "card nested without end": (_card(b"[" * 100_000), "model.json cannot be read as JSON"),
    "card is a list": (_card(b"[1]"), "the model card is malformed"),
    "card is null": (_card(b"null"), "the model card is malformed"),
    "card lacks the checksum": (_card_without("sha256"), "sha256"),
    "card lacks the input": (_card_without("input"), "lacks 'input'"),
    "card lacks the output": (_card_without("output"), "lacks 'output'"),
    "card lacks the mean": (_card_without("input", "mean"), "lacks 'mean'"),
    "card lacks the width": (_card_without("input", "width"), "width"),
    "card has a field nobody knows": (card_with(colour="red"), "colour"),
    "card's width is text": (card_with(input__width="8"), "input is '8'x8"),
    "card's width is no whole number": (card_with(input__width=8.0), "input"),
    "card's width is another": (card_with(input__width=9), "its card and labels say (1, 8, 9, 3)"),
    "card's offset is no whole number": (card_with(output__label_offset=0.0), "output"),
    "card's offset is another": (card_with(output__label_offset=1), "its card and labels say (1, 4)"),
    "card's offset is negative": (card_with(output__label_offset=-1), "output.label_offset is -1"),
    "card's crop is 0": (card_with(input__crop=0), "input.crop is 0"),
    "card's crop is above 1": (card_with(input__crop=1.5), "input.crop is 1.5"),
    "card's std holds a 0": (card_with(input__std=[1, 0, 1]), "input.std has a 0"),
    "card's mean is for one channel": (card_with(input__mean=[1]), "input.mean has 1 values for 3 channels"),
    "card's colour order is unknown": (card_with(input__color="HSV"), "input.color is 'HSV'"),
    "card's scores are unknown": (card_with(output__scores="odds"), "output.scores is 'odds'"),
    "card's method of resizing is unknown": (card_with(input__resize="lanczos"), "input.resize is 'lanczos'"),
    "card's method of resizing is a list": (card_with(input__resize=["area"]), "input.resize is ['area'], expected"),
    "card's binary is no truth": (card_with(output__binary=1), "output.binary is 1, expected true or false"),
    "card's binary has three classes": (card_with(output__binary=True), "output.binary is true with 3 classes"),
    "card's contract is a list": (card_with(contract=["pixels"]), "contract is a JSON list of 1, expected an object"),
    "card's contract is none": (card_with(contract=None), "contract is null, expected an object"),
    "card's contract has a part that is text": (card_with(contract={"pixels": "0..1"}), 'contract.pixels is "0..1"'),
    "card's contract lacks the reason": (
        card_with(contract={"scores": {"value": "logits", "from": "graph"}}),
        "expected an object of the texts value, from (option, source,",
    ),
    "card's contract has an unknown origin": (
        card_with(contract={"scores": {"value": "logits", "from": "hearsay", "reason": "x"}}),
        "contract.scores is",
    ),
    "card's contract has a value that is no text": (
        card_with(contract={"scores": {"value": ["logits"], "from": "graph", "reason": "x"}}),
        "contract.scores is",
    ),
    "card's contract has a long reason": (
        card_with(contract={"scores": {"value": "logits", "from": "graph", "reason": "x" * 1001}}),
        "contract.scores is",
    ),
    "card's contract is nested": (card_with(contract={"pixels": _nested(300)}), "contract holds a value"),
    "card's sides are not positive": (card_with(input__height=0), "input is 8x0, expected whole numbers"),
    "card's classes are none": (card_with(output__classes=0), "output.classes is 0"),
    "card's classes are too many": (card_with(output__classes=100_001), "output.classes is 100001, expected 1 to"),
    "card's checksum is no text": (card_with(sha256=5), "sha256 is 5, expected 64 hexadecimal digits"),
    "card's checksum is a list": (card_with(sha256=["a"] * 64), "sha256 is a JSON list of 64"),
    "card's checksum is short": (card_with(sha256="abc"), 'sha256 is "abc"'),
    "card's CRC-32 is no text": (card_with(crc32=5), "crc32 is 5, expected 8 hexadecimal digits"),
    "card's CRC-32 is short": (card_with(crc32="7aa2d59"), 'crc32 is "7aa2d59"'),
    "card's CRC-32 is in upper case": (card_with(crc32="7AA2D591"), 'crc32 is "7AA2D591"'),
    "card's name is no text": (card_with(name=5), "name is 5"),
    "card's quantization is none": (card_with(quantization=None), "quantization is null"),
    "card's quantization is long": (card_with(quantization="x" * 1001), "quantization is"),
    "card's size is text": (card_with(size_bytes="412"), 'size_bytes is "412"'),
    "card's size is negative": (card_with(size_bytes=-1), "size_bytes is -1"),
    "card says neither trained nor not": (card_with(trained=1), "trained is 1, expected true or false"),
    "card's source is a list": (card_with(source=[1]), "source is a JSON list of 1, expected an object"),
    "card's source is text": (card_with(source="here"), 'source is "here"'),
    "card's verification is none": (card_with(verification=None), "verification is null"),
    "card's source is not a number": (card_with(source={"a": float("nan")}), "cannot be read as JSON"),
    "card's verification is infinite": (card_with(verification={"a": [float("-inf")]}), "cannot be read as JSON"),
    "card's source is infinite by its exponent": (
        _card_text('"kind": "test"', '"kind": 1e999'),
        "source holds a value",
    ),
    "card's source is nested": (card_with(source={"a": _nested(300)}), "nested too deeply"),
    "card's mean is not a number": (card_with(input__mean=[float("nan"), 0, 0]), "cannot be read as JSON"),
    "card's mean is infinite by its exponent": (_card_text("127.5", "1e999"), "no number of at most 1,000,000"),
    "card's mean is a whole number without end": (card_with(input__mean=[10**400, 0, 0]), "no number of at most"),
    "card's mean is text": (card_with(input__mean="123"), "is no list of numbers"),
    "card's mean holds true": (card_with(input__mean=[True, 0, 0]), "true is no number"),
    "card's std is all but 0": (card_with(input__std=[1e-9, 1, 1]), "input.std has a 0, or less than 1e-06"),
    "card's crop is text": (card_with(input__crop="1"), '"1" is no number'),
    "card's crop is true": (card_with(input__crop=True), "true is no number"),
    "card's width is beyond all pictures": (card_with(input__width=10**9), "input is 1000000000x8"),
    "card is a list of pairs": (_card(b'[["name", "x"], ["input", {}]]'), "the model card is malformed"),
    "card is large": (_card(b" " * 300_000 + b"{}"), "model.json has more than 262,144 bytes"),
    "labels are large": (_labels(b"x" * 11_000_000), "labels.txt has more than 10,485,760 bytes"),
    "labels are many": (_labels(b"x\n" * 100_001), "labels.txt has more than 100,000 lines"),
    "a label is long": (_labels(b"red\ngreen\n" + b"x" * 1001), "labels.txt has a line of more than 1,000 characters"),
    "labels are a folder": (_instead(LABELS_FILE, Path.mkdir), "labels.txt is missing"),
    "labels are a pipe": (_instead(LABELS_FILE, os.mkfifo), "labels.txt is missing"),
    "labels are a device without end": (
        _instead(LABELS_FILE, lambda path: path.symlink_to("/dev/zero")),
        "labels.txt is missing",
    ),
    "labels are a link to themselves": (
        _instead(LABELS_FILE, lambda path: path.symlink_to(path)),
        "labels.txt is missing",
    ),
    "model file is a pipe": (_instead(MODEL_FILE, os.mkfifo), "model.tflite is missing"),
}
"""What may befall a bundle of `channels_float`, and what the reason then says."""
