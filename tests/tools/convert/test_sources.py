"""Files of real trainings, and tiny ones like them, converted by the command line and compared with themselves.

Each row says how the file's own framework runs it on pixels, float32 (1, H, W, 3) in 0..255.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tf_keras

from convert.contract.probes import probes
from convert.verify import served
from tests.tools.convert.conftest import Run

Cli = Callable[..., Run]


class Row(NamedTuple):
    """One file of the shared data."""

    options: tuple[str, ...]
    run: Callable[[Any, Any], Any]
    """Model and pixels to scores, one for each label."""
    pixels_from: str
    """How the card says that the scaling is known."""
    library: Any = keras


def raw(model: Any, x: Any) -> Any:
    return model(x, training=False)


def unit(model: Any, x: Any) -> Any:
    return model(x / 255, training=False)


def tf(model: Any, x: Any) -> Any:
    return model(x / 127.5 - 1, training=False)


def both_of(score: Any) -> Any:
    """One sigmoid says the share of the second of two classes."""
    return np.concatenate([1 - np.asarray(score), np.asarray(score)])


def sigmoid_of_unit(model: Any, x: Any) -> Any:
    return both_of(1 / (1 + np.exp(-np.asarray(model(x / 255, training=False)))))


def both_of_unit(model: Any, x: Any) -> Any:
    return both_of(unit(model, x))


UNIT = ("--preprocess", "unit")
ROWS = {
    "keras_ensemble_average_of_softmax.keras": Row(UNIT, unit, "option"),
    "keras_mixed_float16.keras": Row(UNIT, unit, "option"),
    "keras_nested_rescaling.keras": Row((), raw, "graph"),
    "keras_one_logit_no_activation.keras": Row(UNIT, sigmoid_of_unit, "option"),
    "keras_one_sigmoid.keras": Row(UNIT, both_of_unit, "option"),
    "keras_tutorial_preprocess_input_as_ops.keras": Row((), raw, "graph"),
    "keras2_h5_depthwise_groups.h5": Row(UNIT, unit, "option", tf_keras),
    "teachable_machine/keras_model.h5": Row(("--labels", "labels.txt"), tf, "source", tf_keras),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_file_is_served_as_its_framework_runs_it(name: str, test_data: Path, run: Cli, tmp_path: Path) -> None:
    path, row = test_data / "sources" / name, ROWS[name]
    options = [path.parent / option if option.endswith(".txt") else option for option in row.options]
    result = run(path, *options, "--quantize", "float32", "--name", "m", "--out", tmp_path)
    assert result.code == 0, result.err
    classifier, model = served(tmp_path / "m"), row.library.models.load_model(path, compile=False)
    for pixels in probes(classifier.card.input, []):
        expected = np.asarray(row.run(model, pixels[np.newaxis].astype(np.float32))).reshape(-1)
        np.testing.assert_allclose(classifier.scores(pixels), expected, atol=0.01)
    assert classifier.card.contract["pixels"]["from"] == row.pixels_from


def test_teachable_machines_labels_are_read_without_their_numbers(test_data: Path, run: Cli, tmp_path: Path) -> None:
    folder = test_data / "sources" / "teachable_machine"
    result = run(folder / "keras_model.h5", "--labels", folder / "labels.txt", "--name", "m", "--out", tmp_path)
    assert result.code == 0, result.err
    assert served(tmp_path / "m").labels == ("Naranja", "Negro", "Nada")


def test_a_low_precision_is_said(test_data: Path, run: Cli, tmp_path: Path) -> None:
    result = run(test_data / "sources" / "keras_mixed_float16.keras", *UNIT, "--name", "m", "--out", tmp_path)
    assert result.code == 0, result.err
    assert "mixed_float16 was put to float32" in " ".join(result.err.split())
