"""Without evidence, the usual ways to scale pixels are tried on labelled pictures; one that stands out is taken."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("ai_edge_litert", reason="conversion needs TensorFlow: make convert-env")

from chalicelib.inference.card import InputSpec
from convert.contract.candidates import pixels_by_trying
from convert.contract.findings import PREPROCESS

SPECS = {name: InputSpec(4, 4, one.color, 1.0, one.mean, one.std) for name, one in PREPROCESS.items()}


def pictures(folder: Path, values: list[int]) -> list[tuple[Path, int]]:
    """Grey pictures; a class of three by their value: below 100, below 200, above."""
    made = []
    for i, value in enumerate(values):
        path = folder / f"{i}.png"
        Image.new("RGB", (8, 8), (value,) * 3).save(path)
        made.append((path, 0 if value < 100 else 1 if value < 200 else 2))
    return made


def trained_on(name: str) -> Any:
    """A model that is right if the pixels are scaled as `name` says, and else takes nearly all for one class."""
    spec = SPECS[name]

    def score(tensor: np.ndarray) -> np.ndarray:
        value = float(tensor.mean()) * np.mean(spec.std) + np.mean(spec.mean)
        return np.eye(3)[0 if value < 100 else 1 if value < 200 else 2]

    return score


@pytest.mark.parametrize("name", ["tf", "unit", "none"])
def test_the_way_that_is_right_is_found(name: str, tmp_path: Path) -> None:
    labelled = pictures(tmp_path, [*range(5, 250, 10)])
    found, about = pixels_by_trying(trained_on(name), SPECS, labelled)
    assert found is not None
    assert (found.value, found.kind) == (PREPROCESS[name], "validation")
    assert about.startswith(f"right on 25 labelled pictures: {name} 100%,")


@pytest.mark.parametrize(
    ("values", "tried"),
    [([0, 120, 230] * 3, False), ([20] * 30, False), ([*range(5, 250, 10)], True)],
    ids=["nine pictures", "one class", "chance"],
)
def test_too_little_to_tell_leaves_the_choice(values: list[int], tried: bool, tmp_path: Path) -> None:
    found, about = pixels_by_trying(lambda _: np.array([0.2, 0.5, 0.3]), SPECS, pictures(tmp_path, values))
    assert found is None
    assert about.endswith("none stands out") == tried
