"""Every network of keras.applications as Keras runs it; Inception v3 with every kind of weights and both engines.

SLIMCEPTION_LONG=1 adds the other networks (half an hour on two cores).
"""

import base64
import importlib
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from chalice.test import Client

from chalicelib.inference.registry import load_bundle
from convert.graph import Graph, Op
from convert.opening import applications
from convert.opening.networks import NETWORKS, near
from convert.options import Options
from convert.pictures import read_pixels
from convert.pipeline import convert
from convert.sources import Source
from convert.verify import served
from tests.support.paths import ROOT
from tests.tools.convert.conftest import Run, like_trained

Cli = Callable[..., Run]
MAX_BYTES = 25_000_000


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def test_the_bare_structure_converts_and_serves(
    run: Cli, models: Path, imagenet_sample: Path, serve: Callable[..., Client]
) -> None:
    result = run("inception_v3", "--weights", "none", "--name", "dynamic", "--out", models)
    assert result.code == 0, result.err
    assert "untrained" in result.out
    check_served(models, "dynamic", serve(models), sorted(imagenet_sample.glob("*.JPEG"))[0])


def test_in_8_bits_throughout_it_serves_too(
    inception_v3: Source, models: Path, imagenet_sample: Path, tmp_path: Path, serve: Callable[..., Client]
) -> None:
    pictures = sorted(imagenet_sample.glob("*.JPEG"))
    for picture in pictures[::10]:
        (tmp_path / picture.name).symlink_to(picture.resolve())
    options = Options("inception_v3", quantize="int8", calibration=tmp_path, out=models)
    convert(replace(inception_v3, name="int8"), options)
    check_served(models, "int8", serve(models), pictures[0])


def check_served(models: Path, name: str, client: Client, picture: Path) -> None:
    """Small, without wide average pools, and answered for by the API, with a warning that it is untrained."""
    bundle = load_bundle(models / name)
    assert bundle.card.quantization == name
    assert bundle.card.size_bytes < MAX_BYTES
    assert not bundle.card.trained
    graph = Graph(bundle.model_path.read_bytes())
    pools = [op for op in graph.operators if graph.kind(op) == Op.AVERAGE_POOL_2D]
    assert len(pools) == 9
    assert max(int(graph.tensor(op.inputs[0]).shape[3]) for op in pools) <= 320
    answer = predict(client, picture, name)
    assert len(answer["predictions"]) == 1000
    assert sum(p["score"] for p in answer["predictions"]) == pytest.approx(1, abs=1e-3)
    assert "untrained" in answer["model"]["warning"]


def predict(client: Client, picture: Path, model: str) -> dict[str, Any]:
    body = {"image": base64.b64encode(picture.read_bytes()).decode(), "top_k": 1000, "model": model}
    response = client.http.post(
        "/predict", headers={"Content-Type": "application/json"}, body=json.dumps(body).encode()
    )
    assert response.status_code == 200, response.body
    answer: dict[str, Any] = response.json_body
    return answer


def test_int8_loads_in_tflite_runtime_too(models: Path, imagenet_sample: Path) -> None:
    python = ROOT / ".venv-tflite" / "bin" / "python"
    if not python.exists():
        pytest.skip("no .venv-tflite: tests/matrix.sh makes it where Python 3.11 is at hand")
    if not (models / "int8").exists():
        pytest.skip("the int8 bundle was not made in this run")
    script = (
        "import sys; from pathlib import Path; from chalicelib.inference.classifier import Classifier;"
        "from chalicelib.inference.engine import find_engine; from chalicelib.inference.registry import load_bundle;"
        "from chalicelib.telemetry import Spans; engine = find_engine('tflite-runtime');"
        "classifier = Classifier(load_bundle(Path(sys.argv[1])), engine, 1);"
        "print(engine.name, len(classifier.classify(Path(sys.argv[2]).read_bytes(), 1000, Spans())))"
    )
    picture = sorted(imagenet_sample.glob("*.JPEG"))[0]
    done = subprocess.run(
        [python, "-c", script, models / "int8", picture], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == ["tflite-runtime", "1000"], done.stderr


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mine.weights.h5"
    keras.applications.InceptionV3(weights=None, classes=7).save_weights(path)
    return path


class TestWeights:
    def test_a_weights_file_of_any_number_of_classes(self, run: Cli, weights: Path, tmp_path: Path) -> None:
        result = run("inception_v3", "--weights", weights, "--out", tmp_path)
        assert result.code == 0, result.err
        card = load_bundle(tmp_path / "inception_v3").card
        assert (card.output.classes, card.trained, card.source["weights"]) == (7, True, "mine.weights.h5")
        assert len(card.source["weights_sha256"]) == 64

    def test_weights_of_another_network(self, run: Cli, inception: Any, tmp_path: Path) -> None:
        inception.save_weights(tmp_path / "other.weights.h5")
        result = run("inception_v3", "--weights", tmp_path / "other.weights.h5", "--out", tmp_path / "models")
        assert result.code == 2
        assert "does not hold weights of inception_v3" in result.err

    @pytest.mark.parametrize(("name", "message"), [("none.h5", "no such file"), ("text.h5", "not an HDF5 file")])
    def test_a_file_that_is_none(self, name: str, message: str, run: Cli, tmp_path: Path) -> None:
        (tmp_path / "text.h5").write_text("weights")
        result = run("inception_v3", "--weights", tmp_path / name, "--out", tmp_path / "models")
        assert (result.code, message in result.err) == (2, True), result.err

    def test_no_network_says_what_to_do(self, run: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def unreachable(weights: str, input_shape: Any) -> None:
            raise OSError(f"URL fetch failure on https://example.invalid/w.h5: None -- {weights} {input_shape}")

        monkeypatch.setattr(applications.keras.applications, "InceptionV3", unreachable)
        result = run("inception_v3", "--out", tmp_path / "models")
        assert result.code == 2
        lines = [line for line in result.err.splitlines() if line.startswith("convert: ")]
        assert len(lines) == 1
        assert "example.invalid" in lines[0]
        assert "Download w.h5 on a machine with a network and give it with --weights FILE" in lines[0]
        assert not (tmp_path / "models").exists()

    def test_a_whole_model_keeps_what_it_does_itself(self, run: Cli, tmp_path: Path) -> None:
        inputs = keras.Input((32, 32, 3))
        x = keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(inputs))
        model = keras.Model(inputs, keras.layers.Dense(5, "softmax")(keras.layers.GlobalMaxPooling2D()(x)))
        model.save(tmp_path / "mine.keras")
        result = run("inception_v3", "--weights", tmp_path / "mine.keras", "--out", tmp_path / "models")
        assert result.code == 0, result.err
        card = load_bundle(tmp_path / "models" / "inception_v3").card
        assert (card.input.mean, card.input.std, card.input.width) == ((0, 0, 0), (1, 1, 1), 32)
        assert card.contract["pixels"]["from"] == "graph"

    def test_a_whole_model_that_shows_nothing_is_taken_as_published(
        self, run: Cli, keras_file: Path, tmp_path: Path
    ) -> None:
        result = run("resnet50", "--weights", keras_file, "--quantize", "float32", "--out", tmp_path)
        assert result.code == 0, result.err
        card = load_bundle(tmp_path / "resnet50").card
        assert (card.input.color, card.contract["pixels"]["from"]) == ("BGR", "assumption")


CLASSES, SHORT = 4, 64
SIDES = {"inception_v3": 96, "inception_resnet_v2": 96, "xception": 96, "nasnet_mobile": 64, "nasnet_large": 64}
FAST = ("mobilenet", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "resnet50", "xception")
HUGE = ("convnext_large", "convnext_xlarge")
"""Of 0.8 and 1.4 GB: the same as their smaller brothers, but for the number of channels."""
LONG = pytest.mark.skipif("SLIMCEPTION_LONG" not in os.environ, reason="takes minutes: set SLIMCEPTION_LONG=1")


def with_lively_answers(model: Any, tensors: Any) -> Any:
    """The network with random weights such that its answers to these inputs, (N, H, W, 3), differ.

    Without a bound on the variances, a deep network answers otherwise when its input changes by one part in a million.
    """
    like_trained(model)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # so that the next call leaves the inputs' own means and variances in it
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
        if type(layer).__name__ == "LayerScale":  # begins as 1e-6, which leaves nothing of the layers before it
            layer.set_weights([np.ones_like(weights) for weights in layer.get_weights()])
    model(tensors, training=True)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            variance = layer.moving_variance.numpy()
            layer.moving_variance.assign(np.maximum(variance, variance.mean()))
    kernel, bias = model.weights[-2:]
    logs = np.log(np.maximum(model.predict(tensors, verbose=0), 1e-30))
    logs -= logs.mean(axis=1, keepdims=True)
    factor = 2 / logs.std(axis=0).mean()
    kernel.assign(kernel * factor)
    bias.assign(-factor * logs.mean(axis=0))
    return model


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST else LONG) for name in NETWORKS if name not in HUGE]
)
def test_a_network_is_served_as_keras_runs_it(name: str, imagenet_sample: Path, run: Cli, tmp_path: Path) -> None:
    network, side = NETWORKS[name], SIDES.get(name, SHORT)
    paths = sorted(imagenet_sample.glob("*.JPEG"))[::20]
    keras.utils.set_random_seed(2)
    model = getattr(keras.applications, network.builder)(weights=None, input_shape=(side, side, 3), classes=CLASSES)
    own = importlib.import_module(f"keras.applications.{network.module}").preprocess_input
    resized = np.stack([np.asarray(keras.utils.load_img(path, target_size=(side, side)), np.float32) for path in paths])
    with_lively_answers(model, own(resized.copy())).save_weights(tmp_path / "w.weights.h5")
    options = ("--weights", tmp_path / "w.weights.h5", "--input-size", side, "--quantize", "float32")
    result = run(name, *options, "--out", tmp_path)
    assert result.code == 0, result.err
    classifier = served(tmp_path / name)
    pixels = np.stack([read_pixels(path, classifier.card.input) for path in paths])
    expected = model.predict(own(pixels.astype(np.float32)), verbose=0)
    answers = np.stack([classifier.scores(picture) for picture in pixels])
    np.testing.assert_allclose(answers, expected, atol=0.01)
    wrong = model.predict(pixels / (255.0 if network.pixels.std != (255.0,) * 3 else 1.0), verbose=0)
    assert np.abs(wrong - answers).max() > 0.05, "pixels scaled otherwise have to show, or this test shows nothing"


def test_the_table_has_every_network_of_keras() -> None:
    builders = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {network.builder for network in NETWORKS.values()} == builders


@pytest.mark.parametrize(
    ("text", "name"),
    [("InceptionV3", "inception_v3"), ("resnet_50", "resnet50"), ("EfficientNetV2-B0", "efficientnet_v2_b0")],
)
def test_a_name_that_is_nearly_right(text: str, name: str, run: Cli) -> None:
    assert f"did you mean {name}" in near(text)
    result = run(text)
    assert (result.code, name in result.err) == (2, True)


def test_a_name_that_is_like_none() -> None:
    assert near("my_model.keras") == ""
