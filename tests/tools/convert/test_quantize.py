"""Every mode gives a smaller model that still agrees, and the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest

from chalicelib.inference.card import InputSpec
from convert import rewrite
from convert.errors import ConvertError
from convert.graph import Graph
from convert.pictures import find_pictures, tensors
from convert.quantize import MODES, detect, quantize
from convert.tflite_source import Reference
from tests.support import paths
from tests.tools.convert.conftest import SIDE_PX

SPEC = InputSpec(SIDE_PX, SIDE_PX, "RGB", 1.0, (127.5,) * 3, (127.5,) * 3)
DATA = paths.DATA / "tiny"


@pytest.fixture(scope="module")
def logits_tflite(float_tflite: bytes) -> bytes:
    graph = Graph(float_tflite)
    rewrite.softmax_left_to_serving(graph)
    rewrite.signature_added(graph)
    return graph.serialize()


@pytest.mark.parametrize(("mode", "largest_share"), [("float16", 0.7), ("dynamic", 0.6), ("int8", 0.6)])
def test_it_is_smaller_repeatable_and_close(
    logits_tflite: bytes, pictures: Path, mode: str, largest_share: float
) -> None:
    inputs = list(tensors(find_pictures(pictures, "calibration"), SPEC))
    model = quantize(logits_tflite, mode, inputs)
    assert detect(Graph(model)) == mode
    assert len(model) < largest_share * len(logits_tflite)
    assert model == quantize(logits_tflite, mode, inputs)
    served, source = Reference(model), Reference(logits_tflite)
    wanted = [source(tensor) for tensor in inputs]
    spread = max(np.ptp(row) for row in wanted)
    for tensor, row in zip(inputs, wanted, strict=True):
        np.testing.assert_allclose(served(tensor), row, atol=0.1 * spread)


def test_float32_is_the_model_itself(logits_tflite: bytes) -> None:
    assert quantize(logits_tflite, "float32") == logits_tflite
    assert detect(Graph(logits_tflite)) == "float32"


def test_int8_without_a_picture_says_so(logits_tflite: bytes) -> None:
    with pytest.raises(ConvertError, match="cannot quantise to int8"):
        quantize(logits_tflite, "int8", [])


@pytest.mark.parametrize(
    ("file", "kind"), [("channels_float", "float32"), ("channels_int8", "int8"), ("channels_uint8", "uint8")]
)
def test_what_a_tflite_is_can_be_told(file: str, kind: str) -> None:
    assert detect(Graph((DATA / f"{file}.tflite").read_bytes())) == kind


def test_the_command_line_offers_every_mode() -> None:
    from convert.__main__ import parser

    choices = next(action.choices for action in parser()._actions if action.dest == "quantize")
    assert tuple(choices or ()) == MODES
