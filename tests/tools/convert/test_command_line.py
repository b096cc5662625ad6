"""`python -m convert`: good input gives a bundle that serves, bad input one clear line and nothing written."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import Input, Model, layers, saving

from chalicelib.inference.classifier import Classifier
from chalicelib.inference.engine import find_engine
from chalicelib.inference.registry import load_bundle
from chalicelib.telemetry import Spans
from convert import bundle
from convert.graph import Graph
from convert.options import Options
from convert.quantized_form import Made
from tests.tools.convert.conftest import CLASSES, SIDE_PX, Run

Cli = Callable[..., Run]


def served(folder: Path) -> Classifier:
    return Classifier(load_bundle(folder), find_engine("litert"), 1)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class TestSources:
    def test_a_keras_file_becomes_a_bundle_that_serves(
        self, run: Cli, keras_file: Path, pictures: Path, tmp_path: Path
    ) -> None:
        result = run(keras_file, "--out", tmp_path, "--validation", pictures)
        assert result.code == 0, result.err
        card = json.loads((tmp_path / "narrow" / "model.json").read_text())
        assert (card["quantization"], card["output"]) == (
            "dynamic",
            {"classes": 12, "scores": "logits", "label_offset": 0},
        )
        assert card["source"]["convolutions_moved_before_pools"] == 3
        assert card["verification"]["pictures"] == 12
        assert card["verification"]["top1_agreement"] >= 0.9
        assert "same best class" in result.out
        assert "assumed --preprocess tf" in result.err
        answer = served(tmp_path / "narrow").classify((pictures / "00.jpg").read_bytes(), 3, Spans())
        assert [p.label for p in answer] == [f"class {p.index}" for p in answer]
        assert listing(tmp_path) == ["narrow"]

    def test_keras_and_saved_model_give_the_same_scores(
        self, run: Cli, keras_file: Path, saved_model: Path, tmp_path: Path
    ) -> None:
        assert run(keras_file, "--out", tmp_path, "--quantize", "float32").code == 0
        assert run(saved_model, "--out", tmp_path, "--quantize", "float32").code == 0
        pixels = np.random.default_rng(0).integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
        scores = [served(tmp_path / name).scores(pixels) for name in ("narrow", "narrow_saved")]
        np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)

    def test_a_float_tflite_is_quantised_too(
        self, run: Cli, float_tflite: bytes, pictures: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "mine.tflite").write_bytes(float_tflite)
        given = ("--quantize", "int8", "--calibration", pictures, "--validation", pictures, "--min-agreement", 0.5)
        result = run(tmp_path / "mine.tflite", "--out", tmp_path / "models", *given)
        assert result.code == 0, result.err
        assert served(tmp_path / "models" / "mine").card.quantization == "int8"

    def test_mobilenet_brings_labels_and_normalisation_along(self, run: Cli, mobilenet: Path, tmp_path: Path) -> None:
        result = run(mobilenet / "model.tflite", "--name", "mobilenet", "--out", tmp_path)
        assert result.code == 0, result.err
        loaded = load_bundle(tmp_path / "mobilenet")
        assert loaded.labels[:2] == ("background", "tench, Tinca tinca")
        assert (loaded.card.input.mean, loaded.card.input.crop, loaded.card.quantization) == (
            (127.5,) * 3,
            0.875,
            "int8",
        )
        assert (tmp_path / "mobilenet" / "model.tflite").read_bytes() == (mobilenet / "model.tflite").read_bytes()

    def test_a_thousand_labels_fit_a_model_with_a_background(self, run: Cli, mobilenet: Path, tmp_path: Path) -> None:
        result = run(mobilenet / "model.tflite", "--labels", mobilenet / "labels.txt", "--name", "m", "--out", tmp_path)
        assert result.code == 0, result.err
        loaded = load_bundle(tmp_path / "m")
        assert (loaded.labels[0], loaded.card.output.label_offset) == ("tench, Tinca tinca", 1)

    def test_the_same_input_gives_the_same_bytes(
        self, run: Cli, keras_file: Path, pictures: Path, tmp_path: Path
    ) -> None:
        for out in ("a", "b"):
            assert run(keras_file, "--out", tmp_path / out, "--quantize", "int8", "--calibration", pictures).code == 0
        models = [(tmp_path / out / "narrow" / "model.tflite").read_bytes() for out in ("a", "b")]
        assert models[0] == models[1]

    def test_folders_named_after_classes_give_an_accuracy(
        self, run: Cli, keras_file: Path, pictures: Path, tmp_path: Path
    ) -> None:
        assert run(keras_file, "--out", tmp_path, "--quantize", "float32").code == 0
        classifier = served(tmp_path / "narrow")
        for picture in pictures.glob("*.jpg"):
            best = classifier.classify(picture.read_bytes(), 1, Spans())[0]
            folder = tmp_path / "sorted" / best.label.replace(" ", "_").upper()
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, folder)
        assert (
            run(keras_file, "--out", tmp_path, "--validation", tmp_path / "sorted", "--quantize", "float32").code == 0
        )
        verification = served(tmp_path / "narrow").card.verification
        assert (verification["accuracy"], verification["source_accuracy"]) == (1.0, 1.0)

    def test_own_rescaling_needs_no_preprocess(self, run: Cli, tmp_path: Path) -> None:
        x = inputs = Input((32, 32, 3))
        x = layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(x))
        Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x))).save(tmp_path / "own.keras")
        result = run(tmp_path / "own.keras", "--out", tmp_path)
        assert result.code == 0, result.err
        assert served(tmp_path / "own").card.input.mean == (0.0, 0.0, 0.0)


@saving.register_keras_serializable(package="elsewhere")
class Doubling(layers.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return x * 2


def own_layer(folder: Path) -> Path:
    inputs = Input((32, 32, 3))
    Model(inputs, layers.GlobalAveragePooling2D()(Doubling()(inputs))).save(folder / "own_layer.keras")
    saving.get_custom_objects().pop("elsewhere>Doubling")
    return folder / "own_layer.keras"


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def two_inputs(folder: Path) -> Path:
    a, b = Input((32, 32, 3)), Input((32, 32, 3))
    Model([a, b], layers.GlobalAveragePooling2D()(a + b)).save(folder / "two.keras")
    return folder / "two.keras"


def any_size(folder: Path) -> Path:
    inputs = Input((None, None, 3))
    Model(inputs, layers.GlobalAveragePooling2D()(inputs)).save(folder / "any.keras")
    return folder / "any.keras"


BAD_SOURCES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda d: d / "none.keras", "no such file"),
    "unknown suffix": (lambda d: write(d / "model.onnx", "x"), "a text and not a model"),
    "not keras": (lambda d: write(d / "a.keras", b"PK\3\4x"), "a zip that is damaged or cut off"),
    "not hdf5": (lambda d: write(d / "a.h5", b"\x89HDF\r\n\x1a\nx"), "an HDF5 file that is damaged or cut off"),
    "not tflite": (lambda d: write(d / "a.tflite", b"\xff\xfe\xfd"), "no model that is known here"),
    "damaged tflite": (lambda d: write(d / "a.tflite", b"\x20\0\0\0TFL3" + b"\xff" * 64), "a.tflite"),
    "empty folder": (lambda d: d, "holds no model: give a SavedModel's folder"),
    "own layer": (own_layer, "has a custom class"),
    "two inputs": (two_inputs, "2 inputs"),
    "no fixed size": (any_size, "--input-size"),
}


@pytest.mark.parametrize(("make", "message"), BAD_SOURCES.values(), ids=BAD_SOURCES)
def test_a_bad_source_gets_one_clear_line(
    make: Callable[[Path], object], message: str, run: Cli, tmp_path: Path
) -> None:
    result = run(make(tmp_path), "--out", tmp_path / "models")
    assert (result.code, listing(tmp_path / "models")) == (2, [])
    lines = [line for line in result.err.splitlines() if line.startswith("convert: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in result.err


def few_labels(folder: Path) -> tuple[object, ...]:
    return ("--labels", write(folder / "labels.txt", "a\nb\n"))


def latin_labels(folder: Path) -> tuple[object, ...]:
    return ("--labels", write(folder / "labels.txt", "caf\xe9\n".encode("latin-1")))


def corrupt_calibration(folder: Path) -> tuple[object, ...]:
    write(folder / "bad" / "a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 20)
    return ("--quantize", "int8", "--calibration", folder / "bad")


def empty_calibration(folder: Path) -> tuple[object, ...]:
    return ("--quantize", "int8", "--calibration", write(folder / "empty" / "x.txt", "x").parent)


BAD_OPTIONS: dict[str, tuple[Callable[[Path], tuple[object, ...]], str]] = {
    "two labels for twelve classes": (few_labels, "2 labels"),
    "labels not UTF-8": (latin_labels, "UTF-8"),
    "labels missing": (lambda d: ("--labels", d / "none.txt"), "cannot read the labels"),
    "int8 without calibration": (lambda _: ("--quantize", "int8"), "give --calibration DIR"),
    "calibration missing": (lambda d: ("--quantize", "int8", "--calibration", d / "none"), "no such folder"),
    "calibration empty": (empty_calibration, "holds no picture"),
    "calibration corrupt": (corrupt_calibration, "a.png"),
    "validation missing": (lambda d: ("--validation", d / "none"), "no such folder"),
    "crop of zero": (lambda _: ("--crop", "0"), "crop"),
    "crop of two": (lambda _: ("--crop", "2"), "between 0 and 1"),
    "a path for a name": (lambda _: ("--name", "../x"), "expected a name of at most 64 letters"),
    "no picture to compare": (lambda _: ("--validation-limit", "0"), "'0': expected a whole number of at least 1"),
    "less than none": (lambda _: ("--validation-limit", "-1"), "'-1': expected a whole number of at least 1"),
    "full-width digits": (lambda _: ("--validation-limit", "３"), "'３': expected a whole number of at least 1"),
    "a word for a number": (lambda _: ("--validation-limit", "all"), "'all': expected a whole number of at least 1"),
    "weights for a file": (lambda _: ("--weights", "none"), "is no network of keras.applications"),
    "two scalings": (lambda _: ("--preprocess", "tf", "--mean", "100"), "has its own mean and deviation"),
    "a mean of two": (lambda _: ("--mean", "1,2"), "three for red, green and blue"),
    "a deviation of nothing": (lambda _: ("--std", "0"), "input.std has a 0"),
    "no size": (lambda _: ("--input-size", "0"), "expected a number of pixels"),
    "an output of one": (lambda _: ("--output", "scores"), "has one output"),
    "unknown mode": (lambda _: ("--quantize", "int4"), "invalid choice"),
}


@pytest.mark.parametrize(("make", "message"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_options_get_one_clear_line(
    make: Callable[[Path], tuple[object, ...]], message: str, run: Cli, keras_file: Path, tmp_path: Path
) -> None:
    result = run(keras_file, "--out", tmp_path / "models", *make(tmp_path))
    assert (result.code, listing(tmp_path / "models")) == (2, [])
    assert message in result.err
    assert "Traceback" not in result.err


def test_the_least_limit_compares_one_picture(run: Cli, keras_file: Path, pictures: Path, tmp_path: Path) -> None:
    given = ("--validation", pictures, "--validation-limit", 1, "--quantize", "float32")
    assert run(keras_file, "--out", tmp_path, *given).code == 0
    assert served(tmp_path / "narrow").card.verification["pictures"] == 1


def test_options_refuse_a_limit_that_would_compare_nothing() -> None:
    with pytest.raises(ValueError, match="validation_limit is 0: expected at least 1"):
        Options("model.keras", validation_limit=0)


class TestOldBundle:
    @pytest.fixture
    def models(self, run: Cli, keras_file: Path, tmp_path: Path) -> Path:
        assert run(keras_file, "--out", tmp_path, "--quantize", "float32").code == 0
        return tmp_path

    def test_low_agreement_leaves_it_in_place(
        self, run: Cli, models: Path, keras_file: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = served(models / "narrow").card
        monkeypatch.setattr("convert.pipeline.make", lambda graph, *_: Made("dynamic", damaged(graph)))
        result = run(keras_file, "--out", models, "--quantize", "dynamic", "--validation", pictures)
        assert result.code == 1
        assert "--min-agreement" in result.err
        assert result.err.endswith("Try --keep-float auto, or --quantize float16\n")  # another than the one that ran
        assert served(models / "narrow").card == before
        assert listing(models) == ["narrow"]

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES], ids=errno.errorcode.get)
    def test_a_full_disk_leaves_it_in_place(
        self, run: Cli, models: Path, keras_file: Path, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        before = served(models / "narrow").card

        def fail(folder: Path, *_: object) -> None:
            raise OSError(code, os.strerror(code), str(folder))

        monkeypatch.setattr(bundle, "write_card", fail)
        result = run(keras_file, "--out", models, "--quantize", "float16")
        assert result.code == 2
        assert os.strerror(code) in result.err
        assert served(models / "narrow").card == before
        assert listing(models) == ["narrow"]

    def test_a_new_one_replaces_it(self, run: Cli, models: Path, keras_file: Path) -> None:
        assert run(keras_file, "--out", models, "--quantize", "float16").code == 0
        assert served(models / "narrow").card.quantization == "float16"
        assert listing(models) == ["narrow"]


def damaged(graph: Graph) -> bytes:
    """The model with its class weights negated, so that it loads and is wrong."""
    dense = next(op for op in reversed(graph.operators) if len(op.inputs) > 1)
    buffer = graph.model.buffers[graph.tensor(dense.inputs[1]).buffer]
    buffer.data = np.frombuffer(-np.frombuffer(bytes(buffer.data), np.float32), np.uint8)
    return graph.serialize()


def test_twelve_classes_are_what_these_tests_convert(inception: Any) -> None:
    assert inception.output_shape == (None, CLASSES)
