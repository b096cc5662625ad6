"""What becomes the bundle: the mode that was asked for, or float32 with a note; never something else by silence."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import Input, Model, layers

from chalicelib.inference.classifier import softmax
from convert import rewrite
from convert.errors import ConvertError, NothingQuantizedError
from convert.graph import Graph
from convert.modes import Mode
from convert.opening.keras_files import from_keras
from convert.options import Options
from convert.quantize import Quantization, detect
from convert.quantized_form import Judge, make
from tests.support import paths
from tests.tools.convert.conftest import Run
from tests.tools.convert.test_keep_float import INPUTS, with_outlier

JUDGE = Judge(lambda limit: INPUTS[:limit], softmax)


def graph_of(model: Any) -> Graph:
    graph = Graph(from_keras(model, "network", {}).tflite)
    rewrite.add_signature(graph)
    return graph


@pytest.fixture(scope="module")
def without_weights() -> Graph:
    graph = Graph((paths.DATA / "tiny/channels_float.tflite").read_bytes())
    rewrite.add_signature(graph)
    return graph


@pytest.fixture(scope="module")
def tiny() -> Graph:
    """A network whose 8-bit form is larger: a scale for each of 4 channels, and their names, for 12 weights."""
    inputs = Input((16, 16, 3))
    return graph_of(Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling2D()(inputs))))


@pytest.fixture(scope="module")
def spoilt() -> Graph:
    return graph_of(with_outlier())


@pytest.mark.parametrize("mode", ["dynamic", "float16"])
def test_a_mode_that_was_asked_for_is_not_replaced(without_weights: Graph, mode: Mode) -> None:
    with pytest.raises(NothingQuantizedError, match=f"cannot be quantised to {mode}: none of its layers got smaller"):
        make(without_weights, Options("x", quantize=mode), (), JUDGE)


def test_int8_of_a_network_without_weights_is_refused(without_weights: Graph) -> None:
    with pytest.raises(NothingQuantizedError, match="give --quantize float32"):
        Quantization(without_weights, "int8", [np.ones((1, 8, 8, 3), np.float32)]).model()


def test_a_form_that_is_larger_is_refused(tiny: Graph) -> None:
    with pytest.raises(NothingQuantizedError, match=r"it would take \d+ bytes instead of \d+"):
        make(tiny, Options("x", quantize="dynamic"), (), JUDGE)


def test_the_default_becomes_float32_with_a_note(tiny: Graph) -> None:
    made = make(tiny, Options("x"), (), JUDGE)
    assert (made.mode, made.data) == ("float32", tiny.serialize())
    assert detect(Graph(made.data)) == "float32"
    (note,) = made.notes
    assert note.startswith("the network cannot be quantised to dynamic")
    assert note.endswith("it stays float32")


def test_auto_says_what_it_costs(spoilt: Graph) -> None:
    options = Options("x", quantize="dynamic", keep_float="auto", min_agreement=1.0, max_difference=0.2)
    made = make(spoilt, options, (), JUDGE)
    assert made.mode == detect(Graph(made.data)) == "dynamic"
    found = re.fullmatch(
        r"1 of 4 layers stay in float \(--keep-float auto\): (\S+) MB instead of (\S+), "
        r"and one inference (\S+) ms instead of (\S+)",
        made.notes[0],
    )
    assert found is not None
    assert float(found[1]) > float(found[2])
    assert made.layers == ()


def test_auto_without_need_says_so(spoilt: Graph) -> None:
    options = Options("x", quantize="dynamic", keep_float="auto", min_agreement=0.0, max_difference=1.0)
    assert make(spoilt, options, (), JUDGE).notes[0].startswith("no layer has to stay in float")


def test_explain_has_every_layer_and_changes_nothing(spoilt: Graph) -> None:
    made = make(spoilt, Options("x", quantize="dynamic", explain=True), (), JUDGE)
    assert len(made.layers) == 4
    assert made.data == Quantization(spoilt, "dynamic").model()


@pytest.mark.parametrize("options", [{"explain": True}, {"keep_float": 3}])
def test_float32_has_no_layer_to_keep(spoilt: Graph, options: dict[str, Any]) -> None:
    with pytest.raises(ConvertError, match="float32 keeps every layer in float: leave out --keep-float and --explain"):
        make(spoilt, Options("x", quantize="float32", **options), (), JUDGE)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spoilt") / "spoilt.keras"
    with_outlier().save(path)
    return path


class TestCommandLine:
    def test_explain_prints_the_worst_layer_first(self, run: Callable[..., Run], file: Path, tmp_path: Path) -> None:
        done = run(file, "--explain", "--out", tmp_path, "--preprocess", "tf")
        assert done.code == 0
        rows = [line for line in done.out.splitlines() if "CONV_2D" in line or "FULLY_CONNECTED" in line]
        assert "spoilt" in rows[0]
        assert len(rows) == 4
        assert "all 4" in done.out

    def test_keep_float_stands_in_the_notes(self, run: Callable[..., Run], file: Path, tmp_path: Path) -> None:
        done = run(file, "--keep-float", "spoilt", "--out", tmp_path, "--preprocess", "tf")
        assert done.code == 0
        assert "1 of 4 layers stay in float (--keep-float spoilt)" in " ".join(done.err.split())

    def test_a_quantised_source_has_no_float_layers(self, run: Callable[..., Run], tmp_path: Path) -> None:
        done = run(paths.DATA / "tiny/channels_int8.tflite", "--explain", "--out", tmp_path)
        assert done.code == 2
        assert "is quantised already (int8): leave out --keep-float and --explain" in done.err

    @pytest.mark.parametrize("text", ["(", "0", "007x("])
    def test_another_wish_is_refused(self, run: Callable[..., Run], file: Path, text: str) -> None:
        done = run(file, "--keep-float", text)
        assert done.code == 2
        assert "expected" in done.err
