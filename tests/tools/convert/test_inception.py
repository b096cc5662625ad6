"""Inception v3 itself: every kind of weights, both 8-bit modes, both engines, through the API."""

import base64
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest
from chalice.test import Client

from chalicelib.inference.registry import load_bundle
from convert import inception
from convert.graph import Graph, Op
from convert.options import Options
from convert.pipeline import convert
from convert.sources import Source
from tests.support.paths import ROOT
from tests.tools.convert.conftest import Run

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
        assert "does not hold weights of Inception v3" in result.err

    @pytest.mark.parametrize(("name", "message"), [("none.h5", "no such file"), ("text.h5", "not an HDF5 file")])
    def test_a_file_that_is_none(self, name: str, message: str, run: Cli, tmp_path: Path) -> None:
        (tmp_path / "text.h5").write_text("weights")
        result = run("inception_v3", "--weights", tmp_path / name, "--out", tmp_path / "models")
        assert (result.code, message in result.err) == (2, True), result.err

    def test_no_network_says_what_to_do(self, run: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def unreachable(weights: str) -> None:
            raise OSError(f"URL fetch failure on https://example.invalid/weights.h5: None -- {weights}")

        monkeypatch.setattr(inception.keras.applications, "InceptionV3", unreachable)
        result = run("inception_v3", "--out", tmp_path / "models")
        assert result.code == 2
        lines = [line for line in result.err.splitlines() if line.startswith("convert: ")]
        assert len(lines) == 1
        assert "example.invalid" in lines[0]
        assert "--weights FILE" in lines[0]
        assert not (tmp_path / "models").exists()
