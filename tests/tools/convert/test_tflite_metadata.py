"""What a .tflite file says of itself is used when it is there and whole."""

from pathlib import Path

import pytest

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
