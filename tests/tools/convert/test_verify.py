"""Checks after a conversion: no option turns them off, and each can fail."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("ai_edge_litert", reason="conversion needs TensorFlow: make convert-env")

from chalicelib.inference.classifier import Classifier
from convert.errors import ConvertError
from convert.verify import MANY_PICTURES, float_difference, served, verify
from tests.support.bundles import write_bundle

Expected = Callable[[np.ndarray], np.ndarray]
DARK, LIGHT = np.full((8, 8, 3), 20, np.uint8), np.full((8, 8, 3), 230, np.uint8)


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    return served(write_bundle(tmp_path))


@pytest.fixture
def single(tmp_path: Path) -> Classifier:
    """A model of one label, whose score is a sigmoid."""
    return served(write_bundle(tmp_path, "one_output", output={"classes": 1, "scores": "sigmoid", "label_offset": 0}))


def pictures(folder: Path, count: int, values: Callable[[int], int]) -> list[Path]:
    paths = [folder / f"{i}.png" for i in range(count)]
    for i, path in enumerate(paths):
        Image.new("RGB", (8, 8), (values(i), 10, 10)).save(path)
    return paths


def test_a_float_form_that_is_its_source_has_no_difference(classifier: Classifier) -> None:
    assert float_difference(classifier, classifier.scores, [DARK, LIGHT]) == 0


@pytest.mark.parametrize(("off", "refused"), [(0.009, False), (0.011, True), (np.nan, True)])
def test_a_float_form_that_differs_from_its_source_is_refused(
    classifier: Classifier, off: float, refused: bool
) -> None:
    def expected(pixels: np.ndarray) -> np.ndarray:
        return classifier.scores(pixels) + (off if pixels is LIGHT else 0)

    if not refused:
        assert float_difference(classifier, expected, [DARK, LIGHT]) == pytest.approx(off)
        return
    with pytest.raises(ConvertError, match="differs from its source by"):
        float_difference(classifier, expected, [DARK, LIGHT])


@pytest.mark.parametrize(("wanted", "agreement"), [(0.9, 1.0), (0.1, 0.0)])
def test_a_single_label_is_judged_at_one_half(
    single: Classifier, wanted: float, agreement: float, tmp_path: Path
) -> None:
    paths = [path for path in pictures(tmp_path, 4, lambda _: 200) if single.scores(pixels_of(path))[0] != 0.5]
    above = single.scores(pixels_of(paths[0]))[0] > 0.5
    source = np.array([wanted if above else 1 - wanted])
    measured = verify(single, lambda _: source, paths, None, difference=0.0, latency_ms=1.0).measured
    assert measured.top1_agreement == agreement


def pixels_of(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize(
    ("count", "differ", "noted"),
    [(MANY_PICTURES, False, True), (MANY_PICTURES - 1, False, False), (MANY_PICTURES, True, False)],
    ids=["all of one class", "too few to tell", "two classes"],
)
def test_one_class_for_all_pictures_is_noted(
    classifier: Classifier, count: int, differ: bool, noted: bool, tmp_path: Path
) -> None:
    scores = np.eye(len(classifier.labels))

    def expected(pixels: np.ndarray) -> np.ndarray:
        return scores[int(differ and pixels[0, 0, 0] > 100)]

    paths = pictures(tmp_path, count, lambda i: 25 * i)
    notes = verify(classifier, expected, paths, None, difference=0.0, latency_ms=1.0).notes
    assert any("the same class" in note for note in notes) == noted
