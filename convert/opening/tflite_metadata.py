"""Reads labels and normalisation from the metadata of a .tflite file.

Source of the format: TensorFlow Lite's metadata_schema.fbs; the field numbers below are its order of
fields. The labels are a file in a zip archive at the model's end. The Python package that reads this
(tflite-support) does not install on current Pythons, and only these few tables are needed.
"""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flatbuffers import number_types as number
from flatbuffers.table import Table

from chalicelib.inference.card import MAX_VALUE, MIN_STD
from chalicelib.inference.registry import MAX_LABELS_BYTES, parse_labels
from convert.graph import Graph

_BUFFER_NAME = b"TFLITE_METADATA"
_MODEL_SUBGRAPHS, _SUBGRAPH_INPUTS, _SUBGRAPH_OUTPUTS = 3, 2, 3
_TENSOR_PROCESS_UNITS, _TENSOR_FILES = 4, 6
_UNIT_TYPE, _UNIT_OPTIONS = 0, 1
_NORMALIZATION, _NORMALIZATION_MEAN, _NORMALIZATION_STD = 1, 0, 1
_FILE_NAME, _FILE_TYPE, _AXIS_LABELS = 0, 2, 2
_MAX_TABLES = 16
"""Of a vector: those of damaged metadata may overlap, so that a few kB would hold billions of tables."""


@dataclass(frozen=True)
class TfliteMetadata:
    """What was found; None for what was not: labels, and mean and deviation of a channel or of each (0..255)."""

    labels: tuple[str, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def read_metadata(data: bytes, graph: Graph) -> TfliteMetadata:
    """The metadata of a .tflite file; all fields are None if it has none or they are damaged."""
    buffer = next((entry.buffer for entry in graph.model.metadata or [] if entry.name == _BUFFER_NAME), None)
    if buffer is None:
        return TfliteMetadata()
    try:
        raw = bytearray(graph.model.buffers[buffer].data)
        root = Table(raw, int.from_bytes(raw[:4], "little"))
        mean, std = _normalization(root)
        return TfliteMetadata(_labels(root, data), mean, std)
    except Exception:  # metadata are optional: damaged ones count as absent
        return TfliteMetadata()


def _tensors(root: Table, side: int) -> Iterator[Table]:
    for subgraph in _tables(root, _MODEL_SUBGRAPHS):
        yield from _tables(subgraph, side)


def _normalization(root: Table) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    for tensor in _tensors(root, _SUBGRAPH_INPUTS):
        for unit in _tables(tensor, _TENSOR_PROCESS_UNITS):
            kind = _offset(unit, _UNIT_TYPE)
            if kind and unit.Get(number.Uint8Flags, unit.Pos + kind) == _NORMALIZATION:
                options = Table(unit.Bytes, unit.Indirect(unit.Pos + _offset(unit, _UNIT_OPTIONS)))
                mean, std = _floats(options, _NORMALIZATION_MEAN), _floats(options, _NORMALIZATION_STD)
                return (mean, std) if _can_be_served(mean, std) else (None, None)
    return None, None


def _can_be_served(mean: tuple[float, ...] | None, std: tuple[float, ...] | None) -> bool:
    """Whether there are as many deviations as means, and all are numbers that a card may hold."""
    if not mean or not std or len(mean) != len(std):
        return False
    return all(abs(value) <= MAX_VALUE for value in mean + std) and all(abs(value) >= MIN_STD for value in std)


def _labels(root: Table, data: bytes) -> tuple[str, ...] | None:
    for tensor in _tensors(root, _SUBGRAPH_OUTPUTS):
        for file in _tables(tensor, _TENSOR_FILES):
            kind = _offset(file, _FILE_TYPE)
            if kind and file.Get(number.Int8Flags, file.Pos + kind) == _AXIS_LABELS:
                name = file.String(file.Pos + _offset(file, _FILE_NAME)).decode()
                with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(name) as labels:
                    text = labels.read(MAX_LABELS_BYTES + 1)
                return parse_labels(text) if len(text) <= MAX_LABELS_BYTES else None
    return None


def _offset(table: Table, field: int) -> int:
    """Offset of a field in its table, in bytes; 0 if it is absent. The first field's entry is the fifth byte."""
    return int(table.Offset(4 + 2 * field))


def _tables(table: Table, field: int) -> Iterator[Table]:
    offset = _offset(table, field)
    if offset:
        for i in range(min(table.VectorLen(offset), _MAX_TABLES)):
            yield Table(table.Bytes, table.Indirect(table.Vector(offset) + 4 * i))


def _floats(table: Table, field: int) -> tuple[float, ...] | None:
    offset = _offset(table, field)
    if not offset:
        return None
    values: list[Any] = [
        table.Get(number.Float32Flags, table.Vector(offset) + 4 * i) for i in range(table.VectorLen(offset))
    ]
    return tuple(float(value) for value in values)
