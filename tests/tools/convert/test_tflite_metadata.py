"""What a .tflite file says of itself is used when it is there and whole."""

import io
import random
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert.graph import Graph
from convert.opening.tflite_metadata import TfliteMetadata, read_metadata
from tests.support import paths

TINY = paths.DATA / "tiny" / "channels_uint8.tflite"


def test_a_model_without_metadata() -> None:
    data = TINY.read_bytes()
    assert read_metadata(data, Graph(data)) == TfliteMetadata()


def test_labels_and_normalisation_of_a_published_model(mobilenet: Path) -> None:
    data = (mobilenet / "model.tflite").read_bytes()
    found = read_metadata(data, Graph(data))
    assert found.labels == tuple((mobilenet / "labels_1001.txt").read_text().splitlines())
    assert (found.mean, found.std) == ((127.5,), (127.5,))


@pytest.mark.parametrize("length", [0, 3, 40, 200])
def test_damaged_metadata_counts_as_absent(mobilenet: Path, length: int) -> None:
    data = (mobilenet / "model.tflite").read_bytes()
    graph = Graph(data)
    entry = next(entry for entry in graph.model.metadata if entry.name == b"TFLITE_METADATA")
    graph.model.buffers[entry.buffer].data = bytes(graph.model.buffers[entry.buffer].data)[:length]
    assert read_metadata(data, graph).labels is None


def test_labels_cut_off_with_the_archive_count_as_absent(mobilenet: Path) -> None:
    data = (mobilenet / "model.tflite").read_bytes()
    assert read_metadata(data[:-5000], Graph(data)) == TfliteMetadata()


def table(builder: flatbuffers.Builder, **fields: Any) -> Any:
    """A table: `f3=("offset", x)` is its field 3."""
    builder.StartObject(8)
    for name, (kind, value) in fields.items():
        slot = int(name.removeprefix("f"))
        if kind == "offset":
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        else:
            builder.PrependUint8Slot(slot, value, 0)
    return builder.EndObject()


def vector(builder: flatbuffers.Builder, items: list[Any]) -> Any:
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return builder.EndVector()


def floats(builder: flatbuffers.Builder, values: tuple[float, ...]) -> Any:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return builder.EndVector()


def model_of(
    labels: str = "red\nblue\n", mean: tuple[float, ...] = (127.5,), std: tuple[float, ...] = (127.5,), empty: int = 0
) -> tuple[bytes, Graph]:
    """A model whose metadata have `empty` subgraphs before the one with labels and normalisation."""
    builder = flatbuffers.Builder()
    name = builder.CreateString("labels.txt")
    options = table(builder, f0=("offset", floats(builder, mean)), f1=("offset", floats(builder, std)))
    unit = table(builder, f0=("byte", 1), f1=("offset", options))
    file = table(builder, f0=("offset", name), f2=("byte", 2))
    read = table(builder, f4=("offset", vector(builder, [unit])))
    written = table(builder, f6=("offset", vector(builder, [file])))
    sides = {"f2": ("offset", vector(builder, [read])), "f3": ("offset", vector(builder, [written]))}
    subgraphs = [*(table(builder) for _ in range(empty)), table(builder, **sides)]
    builder.Finish(table(builder, f3=("offset", vector(builder, subgraphs))))
    archive = io.BytesIO(TINY.read_bytes())
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file_at_the_end:
        file_at_the_end.writestr("labels.txt", labels)
    graph = Graph(archive.getvalue())
    graph.model.metadata = [schema.MetadataT(name=b"TFLITE_METADATA", buffer=len(graph.model.buffers))]
    graph.model.buffers.append(schema.BufferT(data=bytes(builder.Output())))
    return archive.getvalue(), graph


def test_metadata_that_were_built_are_read() -> None:
    assert read_metadata(*model_of()) == TfliteMetadata(("red", "blue"), (127.5,), (127.5,))


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((float("nan"),), (1.0,)),
        ((0.0,), (float("inf"),)),
        ((0.0,), (0.0,)),
        ((1e30,), (1.0,)),
        ((0.0, 0.0), (1.0,)),
        ((), ()),
    ],
)
def test_numbers_that_no_card_may_hold_count_as_absent(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    assert read_metadata(*model_of(mean=mean, std=std)) == TfliteMetadata(("red", "blue"))


def test_only_the_first_tables_are_looked_at() -> None:
    """Vectors inside of vectors would otherwise be as many steps as the third power of the size."""
    assert read_metadata(*model_of(empty=15)).labels == ("red", "blue")
    assert read_metadata(*model_of(empty=16)) == TfliteMetadata()


def test_labels_that_unpack_to_too_much_count_as_absent() -> None:
    data, graph = model_of("red\nblue" + "\n" * 12_000_000)
    assert len(data) < 100_000
    assert read_metadata(data, graph) == TfliteMetadata(None, (127.5,), (127.5,))


def test_damage_anywhere_counts_as_absent_or_is_read() -> None:
    """Every byte in turn, and 2,000 mixtures: never another exception, and only what a model may have."""
    data, graph = model_of()
    whole = graph.model.buffers[-1].data
    rng = random.Random(5)
    mutants = [whole[:i] + bytes([value]) + whole[i + 1 :] for i in range(len(whole)) for value in (0, 1, 127, 255)]
    for _ in range(2000):
        at = rng.randrange(len(whole))
        mutants.append(whole[:at] + rng.randbytes(rng.randint(1, 8)) + whole[at + rng.randint(0, 8) :])
    seen = set()
    for mutant in mutants:
        graph.model.buffers[-1].data = mutant
        found = read_metadata(data, graph)
        seen.add(found)
        assert found.labels in (None, ("red", "blue")) and (found.mean is None) == (found.std is None)
    assert {TfliteMetadata(), read_metadata(*model_of())} <= seen
