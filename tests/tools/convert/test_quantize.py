"""Every mode gives a smaller model that still agrees, and the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest

from chalicelib.inference.card import InputSpec
from convert import rewrite
from convert.errors import ConvertError
from convert.graph import Graph
from convert.modes import MODES, Mode
from convert.opening.tflite import Reference
from convert.pictures import find_pictures, tensors
from convert.quantize import detect, quantize
from tests.support import paths
from tests.tools.convert.conftest import SIDE_PX

SPEC = InputSpec(SIDE_PX, SIDE_PX, "RGB", 1.0, (127.5,) * 3, (127.5,) * 3)
DATA = paths.DATA / "tiny"


@pytest.fixture(scope="module")
def logits(float_tflite: bytes) -> Graph:
    graph = Graph(float_tflite)
    rewrite.without_final_activation(graph)
    rewrite.add_signature(graph)
    return graph


@pytest.mark.parametrize(("mode", "largest_share"), [("float16", 0.7), ("dynamic", 0.6), ("int8", 0.6)])
def test_it_is_smaller_repeatable_and_close(logits: Graph, pictures: Path, mode: Mode, largest_share: float) -> None:
    inputs = list(tensors(find_pictures(pictures, "calibration"), SPEC))
    model, whole = quantize(logits, mode, inputs), logits.serialize()
    assert detect(Graph(model)) == mode
    assert len(model) < largest_share * len(whole)
    assert model == quantize(logits, mode, inputs)
    served, source = Reference(model), Reference(whole)
    wanted = [source(tensor) for tensor in inputs]
    spread = max(np.ptp(row) for row in wanted)
    for tensor, row in zip(inputs, wanted, strict=True):
        np.testing.assert_allclose(served(tensor), row, atol=0.1 * spread)


def test_float32_is_the_model_itself(logits: Graph) -> None:
    assert quantize(logits, "float32") == logits.serialize()
    assert detect(logits) == "float32"


def test_int8_without_a_picture_says_so(logits: Graph) -> None:
    with pytest.raises(ConvertError, match="cannot quantise to int8"):
        quantize(logits, "int8", [])


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "float32"])
def test_the_last_operator_is_the_float_graphs(logits: Graph, pictures: Path, mode: Mode) -> None:
    """The card says whether the output is probabilities; it asks the float graph, which is at hand."""
    quantized = Graph(quantize(logits, mode, list(tensors(find_pictures(pictures, "calibration"), SPEC))))
    assert quantized.kind(quantized.last_operator()) == logits.kind(logits.last_operator())


def test_a_signature_has_the_same_names_before_and_after_it_is_written(float_tflite: bytes) -> None:
    graph = Graph(float_tflite)
    graph.model.signatureDefs = None
    rewrite.add_signature(graph)
    assert graph.signature_names() == Graph(graph.serialize()).signature_names() == ("serving_default", "input")


@pytest.mark.parametrize(
    ("file", "kind"), [("channels_float", "float32"), ("channels_int8", "int8"), ("channels_uint8", "uint8")]
)
def test_the_quantisation_of_an_existing_file_is_found(file: str, kind: str) -> None:
    assert detect(Graph((DATA / f"{file}.tflite").read_bytes())) == kind


def test_the_command_line_offers_every_mode() -> None:
    from convert.__main__ import parser

    choices = next(action.choices for action in parser()._actions if action.dest == "quantize")
    assert tuple(choices or ()) == MODES
