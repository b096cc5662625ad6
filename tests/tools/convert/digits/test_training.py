"""The embedded default: small, right on scans it never saw, and on digits drawn with a mouse."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from chalicelib.config import EMBEDDED_MODELS
from chalicelib.inference.classifier import Classifier
from chalicelib.inference.engine import find_engine
from chalicelib.inference.registry import load_bundle
from chalicelib.telemetry import Spans
from convert.digits import strokes, training
from convert.pictures import class_of
from tests.support import paths

# As someone drew them on a canvas of 280 pixels; not the strokes that training uses.
MOUSE = {
    0: [[(140, 50), (95, 75), (78, 140), (95, 205), (140, 232), (188, 205), (204, 140), (186, 74), (142, 49)]],
    1: [[(110, 85), (148, 48), (147, 140), (145, 232)]],
    2: [[(82, 95), (105, 58), (150, 48), (192, 72), (190, 115), (150, 160), (84, 228), (140, 226), (205, 228)]],
    3: [[(85, 62), (140, 46), (190, 74), (180, 115), (128, 134), (185, 152), (200, 190), (160, 230), (82, 216)]],
    4: [[(160, 50), (120, 110), (78, 168), (140, 170), (210, 168)], [(165, 110), (162, 170), (160, 234)]],
    5: [[(195, 52), (100, 54), (94, 130), (150, 118), (198, 150), (192, 205), (140, 232), (84, 214)]],
    6: [[(180, 50), (120, 98), (88, 165), (105, 220), (155, 230), (192, 195), (170, 152), (125, 155), (94, 185)]],
    7: [[(80, 55), (140, 52), (205, 54), (170, 130), (138, 232)]],
    8: [
        [(185, 80), (140, 48), (98, 78), (120, 122), (170, 158)],
        [(170, 158), (192, 200), (140, 232), (92, 200), (118, 152), (168, 116), (186, 78)],
    ],
    9: [[(190, 90), (145, 50), (98, 82), (108, 130), (160, 134), (192, 92), (190, 150), (180, 232)]],
}  # fmt: skip


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_bundle(EMBEDDED_MODELS / "digits"), find_engine("litert"), 1)


def png(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def drawn(digit: int, scale: float, shift: int, pen_px: int, dark_on_light: bool) -> bytes:
    ink, paper = (0, 255) if dark_on_light else (255, 0)
    canvas = Image.new("L", (280, 280), paper)
    pen = ImageDraw.Draw(canvas)
    for stroke in MOUSE[digit]:
        points = [(140 + (x - 140) * scale + shift, 140 + (y - 140) * scale - shift) for x, y in stroke]
        pen.line(points, fill=ink, width=pen_px, joint="curve")
    return png(canvas)


def test_the_bundle_is_small_and_its_card_is_full(classifier: Classifier) -> None:
    folder = EMBEDDED_MODELS / "digits"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 400_000
    card = classifier.card
    assert (card.quantization, card.trained, card.source["kind"]) == ("int8", True, "digits")
    assert card.verification["accuracy"] >= 0.98


def test_held_out_scans_are_read(classifier: Classifier) -> None:
    _, held_out, _, answers = training.load_split()
    right = [
        classifier.classify(png(Image.fromarray(training.as_picture(scan))), 1, Spans())[0].index == answer
        for scan, answer in zip(held_out, answers, strict=True)
    ]
    assert len(right) == 360
    assert np.mean(right) >= 0.98


@pytest.mark.parametrize("dark_on_light", [True, False], ids=["dark on light", "light on dark"])
def test_digits_drawn_with_a_mouse_are_read(classifier: Classifier, dark_on_light: bool) -> None:
    placements = [(1.0, 0, 18), (1.25, 0, 24), (0.7, 30, 14), (0.6, -40, 12)]
    wrong = [
        (digit, placement)
        for digit in MOUSE
        for placement in placements
        if classifier.classify(drawn(digit, *placement, dark_on_light), 1, Spans())[0].index != digit
    ]
    assert len(wrong) <= 2, wrong


def test_the_sample_is_a_seven(classifier: Classifier) -> None:
    sample = paths.SEVEN
    best = classifier.classify(sample.read_bytes(), 1, Spans())[0]
    assert best.label == "7"
    assert best.score > 0.9


def test_training_pictures_are_repeatable_and_of_both_kinds() -> None:
    scans, _, answers, _ = training.load_split()
    first = training.pictures(scans[:5], answers[:5], np.random.default_rng(1))
    again = training.pictures(scans[:5], answers[:5], np.random.default_rng(1))
    assert first[0].shape == (10, strokes.SIZE_PX, strokes.SIZE_PX, 1)
    assert np.array_equal(first[0], again[0])
    assert first[1].tolist() == [*answers[:5], *answers[:5]]
    assert all(np.ptp(picture) > 60 for picture in first[0]), "ink shows on every paper"


def test_the_network_is_an_inception_of_its_own_width() -> None:
    network = training.build_network()
    assert network.output_shape == (None, 10)
    assert network.count_params() < 300_000
    pools = [layer for layer in network.layers if type(layer).__name__ == "AveragePooling2D"]
    assert len(pools) == 3


def test_a_folder_names_a_class_by_label_or_first_synonym() -> None:
    labels = ("tench, Tinca tinca", "great white shark, white shark", "7")
    root = Path("/pictures")
    assert class_of(root / "great_white_shark" / "a.jpg", root, labels) == 1
    assert class_of(root / "Tench, Tinca tinca" / "a.jpg", root, labels) == 0
    assert class_of(root / "7" / "a.jpg", root, labels) == 2
    assert class_of(root / "unknown" / "a.jpg", root, labels) is None
    assert class_of(root / "a.jpg", root, labels) is None
