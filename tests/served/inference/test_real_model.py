"""A real model of ImageNet on real pictures: uint8 in and out, probabilities, 1,001 classes."""

import csv
import hashlib
import json

import pytest

from chalicelib.inference.classifier import Classifier, Prediction
from chalicelib.inference.registry import load_bundle
from chalicelib.telemetry import Spans
from tests.support.bundles import rgb_input


@pytest.fixture(scope="module")
def mobilenet(test_data, engine, tmp_path_factory) -> Classifier:
    folder = tmp_path_factory.mktemp("models") / "mobilenet_v2"
    folder.mkdir()
    content = (test_data / "mobilenet_v2" / "model.tflite").read_bytes()
    card = {
        "name": "mobilenet_v2",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "quantization": "uint8",
        "trained": True,
        "input": rgb_input(224, 224, crop=0.875),
        "output": {"classes": 1000, "scores": "probabilities", "label_offset": 1},
    }
    (folder / "model.tflite").write_bytes(content)
    (folder / "labels.txt").write_bytes((test_data / "mobilenet_v2" / "labels.txt").read_bytes())
    (folder / "model.json").write_text(json.dumps(card))
    return Classifier(load_bundle(folder), engine, 2)


@pytest.fixture(scope="module")
def answers(mobilenet, test_data) -> list[tuple[int, list[Prediction]]]:
    """The true class and the five best answers of each picture."""
    folder = test_data / "imagenet_sample"
    with open(folder / "classes.csv", encoding="utf-8", newline="") as rows:
        classes = {row["file"]: int(row["imagenet_class"]) for row in csv.DictReader(rows)}
    return [(wanted, mobilenet.classify((folder / file).read_bytes(), 5, Spans())) for file, wanted in classes.items()]


class TestMobileNet:
    def test_it_names_what_is_on_the_pictures(self, answers):
        top1 = sum(wanted == best[0].index for wanted, best in answers) / len(answers)
        top5 = sum(wanted in [p.index for p in best] for wanted, best in answers) / len(answers)
        assert len(answers) == 100
        assert top1 >= 0.88
        assert top5 >= 0.95

    def test_scores_are_probabilities_in_order(self, answers):
        for _, best in answers:
            scores = [p.score for p in best]
            assert scores == sorted(scores, reverse=True)
            assert scores[-1] >= 0 and sum(scores) <= 1.03  # 8 bits of 1/256

    def test_the_index_is_the_line_of_the_label(self, mobilenet, answers):
        assert all(mobilenet.labels[p.index] == p.label for _, best in answers for p in best)
        assert mobilenet.labels[0].startswith("tench")
