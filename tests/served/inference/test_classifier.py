import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from chalicelib.config import EMBEDDED_MODELS
from chalicelib.errors import ModelError, UndecodableImage
from chalicelib.inference import classifier as classifier_module
from chalicelib.inference.card import OutputSpec
from chalicelib.inference.classifier import Classifier, Prediction, rank, scores_of, sigmoid, softmax
from chalicelib.inference.engine import Delegated
from chalicelib.inference.registry import load_bundle
from chalicelib.telemetry import Spans
from tests.support.bundles import DATA_DIR, card_with, rgb_input, write_bundle
from tests.support.pictures import BLUE, GREEN, RED, encode, plain


def odds(*logits: float) -> list[float]:
    powers = np.exp(logits)
    return [float(p) for p in powers / powers.sum()]


def answer(classifier, data: bytes, top_k: int = 3) -> list[tuple[int, str, float]]:
    return [(p.index, p.label, round(p.score, 4)) for p in classifier.classify(data, top_k, Spans())]


class TestClassify:
    @pytest.mark.parametrize(
        ("model", "scores", "tolerance"),
        [
            ("channels_float", odds(1, -1, -1), 1e-4),
            ("channels_int8", odds(1, -1, -1), 0.01),
            ("channels_uint8", [1, 0, 0], 0.005),
            ("no_batch", odds(1, -1, -1), 1e-4),
            ("background_float", odds(5, 1, -1, -1)[1:], 1e-4),
            ("background_logits", odds(5, 1, -1, -1)[1:], 1e-4),
        ],
    )
    def test_every_kind_of_input_and_output(self, load, model, scores, tolerance):
        predictions = load(model).classify(RED, 3, Spans())
        assert [(p.index, p.label) for p in predictions] == [(0, "red"), (1, "green"), (2, "blue")]
        assert [p.score for p in predictions] == pytest.approx(scores, abs=tolerance)

    @pytest.mark.parametrize(("data", "index"), [(RED, 0), (GREEN, 1), (BLUE, 2)])
    @pytest.mark.parametrize("model", ["channels_float", "channels_int8", "channels_uint8", "background_float"])
    def test_the_index_is_the_line_of_the_label(self, load, model, data, index):
        best = load(model).classify(data, 1, Spans())[0]
        assert (best.index, best.label) == (index, ("red", "green", "blue")[index])

    def test_the_background_is_never_an_answer(self, load):
        classifier = load("background_float")
        assert classifier.scores(np.full((8, 8, 3), 127, np.uint8)).shape == (3,)
        assert max(score for _, _, score in answer(classifier, RED)) < 0.1

    def test_bgr_models_see_blue_first(self, load):
        assert answer(load("channels_float", input=rgb_input(color="BGR")), RED, 1)[0][:2] == (2, "blue")

    @pytest.mark.parametrize(("grey", "label"), [(255, "red"), (0, "green"), (140, "blue")])
    def test_one_grey_channel_and_sides_that_differ(self, load, grey, label):
        assert answer(load("grey_wide"), encode(plain((grey,), (20, 8), "L")), 1)[0][1] == label

    @pytest.mark.parametrize("top_k", [1, 2, 3])
    def test_top_k_answers_best_first(self, load, top_k):
        predictions = load("channels_float").classify(GREEN, top_k, Spans())
        assert [p.index for p in predictions] == [1, 0, 2][:top_k]
        assert isinstance(predictions[0], Prediction)

    def test_the_spans_of_one_answer(self, load):
        spans = Spans()
        load("channels_float").classify(RED, 1, spans)
        assert list(spans) == ["decode", "preprocess", "inference"]

    def test_a_broken_picture_leaves_the_classifier_whole(self, load):
        classifier = load("channels_float")
        before = answer(classifier, RED)
        with pytest.raises(UndecodableImage):
            classifier.classify(RED[:40], 1, Spans())
        assert answer(classifier, RED) == before

    def test_nan_is_an_error_and_not_an_answer(self, load):
        classifier = load("not_a_number")
        with pytest.raises(ModelError, match="model 'not_a_number' answers with values that are not numbers"):
            classifier.classify(RED, 1, Spans())
        white = encode(plain((250, 240, 230)))
        assert answer(classifier, white, 1)[0][1] == "red"

    @pytest.mark.parametrize("data", [RED, GREEN, BLUE], ids=["red", "green", "blue"])
    @pytest.mark.parametrize("scores", ["sigmoid", "probabilities"])
    def test_one_output_is_the_score_of_the_second_label(self, load, data, scores):
        """3 times red less green, pixels in -1..1 for a sigmoid and in 0..1/3 for a probability."""
        output = {"classes": 2, "scores": scores, "label_offset": 0, "binary": True}
        scaled = (
            {"mean": [127.5] * 3, "std": [127.5] * 3} if scores == "sigmoid" else {"mean": [0] * 3, "std": [765] * 3}
        )
        classifier = load("one_output", output=output, input=rgb_input() | scaled)
        values = {RED: (4.0, 1.0), GREEN: (-4.0, -1 / 3), BLUE: (-2.0, 0.0)}[data]
        second = 1 / (1 + np.exp(-values[0])) if scores == "sigmoid" else values[1]
        found = {p.label: p.score for p in classifier.classify(data, 2, Spans())}
        assert found == pytest.approx({"red": 1 - second, "green": second}, abs=1e-5)

    def test_every_output_has_its_own_sigmoid(self, load):
        output = {"classes": 3, "scores": "sigmoid", "label_offset": 0}
        found = load("channels_float", output=output).classify(RED, 3, Spans())
        assert [p.score for p in found] == pytest.approx([1 / (1 + np.exp(-x)) for x in (1, -1, -1)], abs=1e-5)

    def test_warming_proves_that_the_model_answers(self, load):
        load("channels_float").warm()
        with pytest.raises(ModelError):
            load("not_a_number").warm()


class TestLoading:
    @pytest.mark.parametrize(
        ("model", "changes", "says"),
        [
            ("two_outputs", {}, "has output [(1, 3), (1, 3)], its card and labels say (1, 3)"),
            ("channels_float", {"input__width": 9}, "has input [(1, 8, 8, 3)], its card and labels say (1, 8, 9, 3)"),
            ("channels_float", {"input": rgb_input(8, 8, "L")}, "its card and labels say (1, 8, 8, 1)"),
            ("channels_float", {"output__label_offset": 1}, "has output [(1, 3)], its card and labels say (1, 4)"),
            ("background_float", {"output__label_offset": 0}, "has output [(1, 4)], its card and labels say (1, 3)"),
            ("one_output", {"output__binary": False}, "has output [(1, 1)], its card and labels say (1, 2)"),
        ],
        ids=["two outputs", "width", "channels", "offset", "no offset", "one output that is not binary"],
    )
    def test_a_card_that_does_not_fit_the_model(self, tmp_path, engine, model, changes, says):
        folder = write_bundle(tmp_path, model)
        card_with(**changes)(folder)
        with pytest.raises(ModelError) as caught:
            self.load(folder, engine)
        assert str(caught.value).startswith(f"model {model!r} has ")
        assert says in str(caught.value)

    def test_an_engine_that_raises(self, tmp_path, engine):
        class Refusing:
            def __init__(self, **asked):
                raise ValueError("Could not open '/secret/place/model.tflite'")

        with pytest.raises(ModelError) as caught:
            self.load(write_bundle(tmp_path), engine._replace(interpreter_class=Refusing))
        assert str(caught.value) == f"model 'channels_float' does not load in {engine.name} {engine.version}"

    @staticmethod
    def load(folder, engine):
        return Classifier(load_bundle(folder), engine, 1)


class TestThreads:
    @pytest.mark.parametrize("model", ["channels_float", "channels_int8", "background_float"])
    def test_eight_threads_answer_as_one(self, load, model):
        classifier = load(model)
        pictures = [encode(plain((i * 5, 255 - i * 5, i * 3))) for i in range(50)]
        serial = [answer(classifier, data) for data in pictures]
        assert len({str(a) for a in serial}) > 40
        barrier = threading.Barrier(8)

        def all_of_them(offset: int):
            barrier.wait()
            order = [(i + offset * 7) % 50 for i in range(50)]
            return {i: answer(classifier, pictures[i]) for i in order}

        with ThreadPoolExecutor(8) as pool:
            for answers in pool.map(all_of_them, range(8)):
                assert [answers[i] for i in range(50)] == serial


class TestRanking:
    def test_of_equal_scores_the_lower_index_comes_first(self):
        assert rank(np.array([0.1, 0.4, 0.4, 0.1]), 3) == [1, 2, 0]
        scores = np.tile([0.0, 1.0], 500)  # so many that a sort which is not stable shows
        assert rank(scores, 4) == [1, 3, 5, 7]

    @pytest.mark.parametrize(("top_k", "count"), [(1, 1), (3, 3), (9, 3)])
    def test_there_are_never_more_than_there_are_labels(self, top_k, count):
        assert len(rank(np.array([0.1, 0.2, 0.7]), top_k)) == count

    @pytest.mark.parametrize("logits", [[0, 0], [1000, 1000], [-1000, 1000], [3, 1, 2]], ids=str)
    def test_softmax_sums_to_one_and_never_overflows(self, logits):
        scores = softmax(np.array(logits, np.float64))
        assert scores.sum() == pytest.approx(1)
        assert np.argmax(scores) == np.argmax(logits)

    def test_softmax_of_known_values(self):
        assert softmax(np.log([1.0, 2.0, 5.0])).tolist() == pytest.approx([0.125, 0.25, 0.625])


class TestScores:
    X = np.array([-1e4, -800.0, -37.0, -1.0, 0.0, 1.0, 37.0, 800.0, 1e4])

    def test_a_sigmoid_never_overflows_and_keeps_the_order(self):
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            found = sigmoid(self.X)
        assert found[[0, 4, -1]].tolist() == [0.0, 0.5, 1.0]
        assert found[2:7] == pytest.approx(1 / (1 + np.exp(-self.X[2:7])), rel=1e-12)
        assert (np.diff(found) >= 0).all() and ((found >= 0) & (found <= 1)).all()

    @pytest.mark.parametrize(
        ("spec", "output", "scores"),
        [
            (OutputSpec(2, "probabilities", 0, True), [0.25], [0.75, 0.25]),
            (OutputSpec(2, "sigmoid", 0, True), [0.0], [0.5, 0.5]),
            (OutputSpec(2, "sigmoid", 0, True), [-1e4], [1.0, 0.0]),
            (OutputSpec(2, "sigmoid"), [0.0, 1e4], [0.5, 1.0]),
            (OutputSpec(1, "sigmoid", 1), [0.0, 1e4], [1.0]),
            (OutputSpec(2, "logits"), [3.0, 3.0], [0.5, 0.5]),
            (OutputSpec(1, "probabilities", 1), [0.2, 0.3], [0.3]),
        ],
        ids=str,
    )
    def test_what_an_output_means(self, spec, output, scores):
        found = scores_of(np.array(output), spec)
        assert (found.dtype, found.tolist()) == (np.float64, pytest.approx(scores))


class TestEmbeddedDigits:
    def test_the_sample_picture_is_read(self, engine):
        classifier = Classifier(load_bundle(EMBEDDED_MODELS / "digits"), engine, 1)
        best = classifier.classify((DATA_DIR / "seven.png").read_bytes(), 1, Spans())[0]
        assert (best.index, best.label) == (7, "7")
        assert best.score > 0.9


class TestWarnings:
    @pytest.mark.parametrize(
        ("quantization", "features", "warnings"),
        [
            ("float32", ["asimddp"], ["float_model"]),
            ("float16", ["avx2", "avx512f", "avx512_vnni"], ["float_model"]),
            ("float32", ["avx2"], []),
            ("float32", ["avx2", "avx512f"], []),
            ("float32", [], []),
            ("dynamic", ["asimddp"], []),
            ("int8", ["avx512_vnni"], []),
        ],
    )
    def test_float_where_8_bits_pay(self, load, monkeypatch, quantization, features, warnings):
        monkeypatch.setattr(classifier_module, "processor_features", lambda: features)
        model = load("channels_float", quantization=quantization)
        model.engine = model.engine._replace(name="litert")
        assert model.warnings(Delegated(1, 1, {})) == warnings

    def test_8_bits_do_not_pay_in_tflite_runtime(self, load, monkeypatch):
        monkeypatch.setattr(classifier_module, "processor_features", lambda: ["asimddp"])
        model = load("channels_float")
        model.engine = model.engine._replace(name="tflite-runtime")
        assert model.warnings(Delegated(1, 1, {})) == []

    @pytest.mark.parametrize(
        ("held", "warnings"),
        [(Delegated(2, 0, {"MEAN": 2}), ["without_delegate"]), (Delegated(2, 1, {"MEAN": 1}), []), (None, [])],
        ids=["none", "half", "unknown"],
    )
    def test_without_a_delegate(self, load, held, warnings):
        assert load("channels_int8").warnings(held) == warnings

    def test_both(self, load, monkeypatch):
        monkeypatch.setattr(classifier_module, "processor_features", lambda: ["asimddp"])
        model = load("channels_float")
        model.engine = model.engine._replace(name="litert")
        assert model.warnings(Delegated(1, 0, {"MEAN": 1})) == ["without_delegate", "float_model"]

    def test_looking_at_the_graph_disturbs_no_answer(self, load):
        model, pixels = load("background_float"), np.zeros((8, 8, 3), np.uint8)
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(4) as pool:
                pairs = [(pool.submit(model.delegated), pool.submit(model.scores, pixels)) for _ in range(1000)]
                for look, answer_ in pairs:
                    assert look.result() and answer_.result() is not None
        finally:
            sys.setswitchinterval(before)
