"""The .tflite files and SavedModels that others published, each compared with itself, run on its own."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from chalicelib.inference.classifier import Classifier
from tests.tools.convert.conftest import Run
from tests.tools.convert.small import pixels
from tests.tools.convert.test_command_line import listing, served

Cli = Callable[..., Run]


@pytest.fixture
def sources(test_data: Path) -> Path:
    return test_data / "sources"


def scores_of(classifier: Classifier, shown: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.stack([classifier.scores(one) for one in shown])


def signature(archive: Path, folder: Path, **tensors: NDArray[np.generic]) -> dict[str, NDArray[np.float32]]:
    """What TensorFlow answers with the SavedModel in a zip."""
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    (graph,) = folder.rglob("saved_model.pb")
    loaded = tf.saved_model.load(str(graph.parent))
    serving = loaded.signatures["serving_default"]
    (name,) = serving.structured_input_signature[1]
    return {key: value.numpy() for key, value in serving(**{name: tf.constant(*tensors.values())}).items()}


def test_automl_vision_edge_takes_bytes_as_they_are(run: Cli, sources: Path, tmp_path: Path) -> None:
    path = sources / "automl_vision_edge.tflite"
    assert run(path, "--out", tmp_path).code == 0
    classifier = served(tmp_path / "automl_vision_edge")
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    (given,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    shown = pixels(4, height=224, width=224)
    for one in shown:
        interpreter.set_tensor(given["index"], one[np.newaxis])
        interpreter.invoke()
        raw = interpreter.get_tensor(output["index"])[0]
        np.testing.assert_allclose(classifier.scores(one), raw * output["quantization"][0], atol=1e-6)
    assert classifier.card.quantization == "uint8"
    assert len(classifier.labels) == output["shape"][-1]
    assert not classifier.labels[0].startswith("class ")


@pytest.mark.parametrize("size", ["24", "40x24"])
def test_a_tflite_of_open_size_is_served_in_the_size_that_is_given(
    size: str, run: Cli, sources: Path, tmp_path: Path
) -> None:
    path = sources / "tflite_dynamic_height_width.tflite"
    given = ("--preprocess", "unit", "--quantize", "float32", "--input-size", size)
    result = run(path, "--out", tmp_path, *given)
    assert result.code == 0, result.err
    classifier = served(tmp_path / path.stem)
    width, _, height = size.partition("x")
    shown = pixels(4, height=int(height or width), width=int(width))
    interpreter = Interpreter(model_path=str(path))
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, (1, *shown.shape[1:]))
    interpreter.allocate_tensors()
    for one in shown:
        interpreter.set_tensor(index, one[np.newaxis].astype(np.float32) / 255)
        interpreter.invoke()
        wanted = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        np.testing.assert_allclose(classifier.scores(one), wanted, atol=1e-4)


def test_a_tflite_of_open_size_is_refused_without_one(run: Cli, sources: Path, tmp_path: Path) -> None:
    result = run(sources / "tflite_dynamic_height_width.tflite", "--out", tmp_path)
    assert (result.code, listing(tmp_path)) == (2, [])
    assert "leaves its size open; give the one that it was trained with: --input-size 224" in result.err


def test_a_saved_model_of_classes_and_probabilities_is_never_served_by_chance(
    run: Cli, sources: Path, tmp_path: Path
) -> None:
    path = sources / "savedmodel_classes_and_probabilities.zip"
    result = run(path, "--out", tmp_path, "--preprocess", "unit", "--quantize", "float32")
    assert result.code == 0, result.err
    assert "'probabilities' is the only row of scores" in result.err
    shown = pixels(4, height=8, width=8)
    wanted = signature(path, tmp_path / "unpacked", image=shown.astype(np.float32) / 255)["probabilities"]
    np.testing.assert_allclose(scores_of(served(tmp_path / path.stem), shown), wanted, atol=1e-4)


def test_a_saved_model_of_uint8_takes_bytes_as_they_are(run: Cli, sources: Path, tmp_path: Path) -> None:
    path = sources / "savedmodel_uint8_input.zip"
    result = run(path, "--out", tmp_path, "--quantize", "float32")
    assert result.code == 0, result.err
    shown = pixels(4, height=8, width=8)
    (wanted,) = signature(path, tmp_path / "unpacked", image=shown).values()
    np.testing.assert_allclose(scores_of(served(tmp_path / path.stem), shown), wanted, atol=1e-4)


def test_teachable_machines_download_needs_no_option(run: Cli, sources: Path, tmp_path: Path) -> None:
    result = run(sources / "teachable_machine", "--out", tmp_path)
    assert result.code == 0, result.err
    classifier = served(tmp_path / "teachable_machine")
    assert classifier.card.input.mean == (127.5,) * 3
    assert not any(label[:1].isdigit() for label in classifier.labels)
    assert "labels.txt beside the model" in result.err
