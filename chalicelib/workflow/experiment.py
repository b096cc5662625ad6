"""Checks the input of an execution. Every error says what was received and what is accepted."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.aws.urls import parse_s3_url
from chalicelib.errors import InvalidRequest, shown
from chalicelib.split import Split

FOLDERS = "folders"
"""The value of "labels" that makes the name of a picture's folder its label."""
GROUP, MAX_GROUP = 200, 500
"""Pictures of one invocation, by default and at most: enough to make it cheap, few enough for its 40 seconds."""
MAX_KEY_BYTES = 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Experiment:
    """The checked input."""

    split: Split
    shadow: float
    """The share of pictures that both models classify, 0 to 1."""
    bucket: str
    prefix: str
    """Of the pictures."""
    pictures: tuple[str, ...] | None
    """Keys in the bucket; None: every object under the prefix."""
    labels: str | None
    """FOLDERS, the S3 URL of a CSV or JSON Lines file, or None: labels are not known."""
    group: int
    """Pictures in a group."""


def parse(fields: Any) -> Experiment:
    """The checked values of the input's `fields`; raises InvalidRequest."""
    if not isinstance(fields, Mapping):
        raise InvalidRequest(f"the input is {shown(fields)}: expected a JSON object")
    values = {name: _checked(name, fields) for name in _FIELDS}
    unknown = [name for name in fields if name not in _FIELDS]
    if unknown:
        raise InvalidRequest(f"unknown field {shown(unknown[0])}: expected {', '.join(_FIELDS)}")
    bucket, prefix = parse_s3_url(values["source"], "source")
    if values["labels"] not in (None, FOLDERS):
        parse_s3_url(values["labels"], "labels")
    keys, (first, second) = values["images"], values["models"]
    return Experiment(
        split=Split(values["experiment"], first, second, float(values["weight"])),
        shadow=float(values["shadow"]),
        bucket=bucket,
        prefix=prefix,
        pictures=None if keys is None else tuple(dict.fromkeys(keys)),
        labels=values["labels"],
        group=values["group"],
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _are_keys(value: Any) -> bool:
    """S3's keys are UTF-8, which cannot encode lone surrogates; JSON can."""
    return _are_texts(value) and all(0 < len(_utf8(key)) <= MAX_KEY_BYTES for key in value)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return b""


_REQUIRED = object()
_FIELDS: Mapping[str, tuple[Any, Callable[[Any], bool], str]] = {
    "experiment": (
        _REQUIRED,
        lambda value: isinstance(value, str) and bool(_NAME.fullmatch(value)),
        "a name of up to 64 letters, digits, _ . -",
    ),
    "models": (_REQUIRED, lambda value: _are_texts(value) and len(value) == 2, "the names of two models, A and B"),
    "source": (_REQUIRED, _is_text, "s3://bucket/prefix"),
    "images": (None, _are_keys, f"a list of keys in the source's bucket, each of up to {MAX_KEY_BYTES} bytes"),
    "weight": (0.5, _is_share, "B's share of the pictures, 0 to 1"),
    "shadow": (0.1, _is_share, "the share of pictures that both classify, 0 to 1"),
    "labels": (None, _is_text, f'"{FOLDERS}", or s3://bucket/labels.csv or .jsonl'),
    "group": (GROUP, lambda value: type(value) is int and 1 <= value <= MAX_GROUP, f"1 to {MAX_GROUP} pictures"),
}
"""Name of a field to its default, its check, and what is accepted."""


def _checked(name: str, fields: Mapping[str, Any]) -> Any:
    default, fits, expected = _FIELDS[name]
    if name not in fields:
        if default is _REQUIRED:
            raise InvalidRequest(f'the field "{name}" is missing: expected {expected}')
        return default
    if not fits(fields[name]):
        raise InvalidRequest(f'"{name}" is {shown(fields[name])}: expected {expected}')
    return fields[name]
