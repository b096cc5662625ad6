"""Models in protobuf messages, which have no signature: the numbers and types of their fields show what they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

MOST_BYTES = 2**31 - 1
"""Protobuf's own limit."""
_ONNX_FIELDS = {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26}


def kind_of_message(path: Path, size: int) -> str | None:
    """A model's kind, as `kinds.kind_of` names it; None if the file is no such message. Raises OSError.

    Sources: onnx/onnx.proto, ModelProto; tensorflow/core/protobuf/saved_model.proto; .../framework/graph.proto;
    coremltools/mlmodel/format/Model.proto, whose kinds of models begin at field 200; caffe.proto, NetParameter.
    """
    if size > MOST_BYTES:
        return None
    fields = list(_fields(path.read_bytes()))
    numbers = {number for number, _ in fields}
    if not fields:
        return None
    first = dict(reversed(fields))
    if isinstance(first.get(7), bytes) and isinstance(first.get(1), int) and numbers <= _ONNX_FIELDS:
        return "onnx"
    if numbers <= {1, 2} and first.get(1) == 1 and isinstance(first.get(2), bytes):
        return "saved_model"
    if isinstance(first.get(1), int) and any(200 <= number < 4000 for number in numbers):
        return "coreml"
    node = first.get(1)
    if not isinstance(node, bytes):
        return None
    if 100 in numbers:
        return "caffe"
    return "frozen_graph" if numbers <= {1, 2, 3, 4, 5} and _names_an_operator(node) else None


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a message of any kind; none if it is no message."""
    try:
        for field in UnknownFieldSet(Empty.FromString(data)):
            yield field.field_number, field.data
    except (DecodeError, ValueError, UnicodeDecodeError):
        return


def _names_an_operator(node: bytes) -> bool:
    """Whether it is a node of a TensorFlow graph: its fields 1 and 2 are texts, name and operator."""
    values = dict(_fields(node))
    return all(isinstance(values.get(number), bytes) and values[number].isascii() for number in (1, 2))
