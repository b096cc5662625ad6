"""Models to convert: a narrow Inception with weights like trained ones, real pictures, and the command line."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="conversion needs TensorFlow: make convert-env")

from PIL import Image  # noqa: E402

from convert.__main__ import main  # noqa: E402
from convert.contract.findings import trained_with  # noqa: E402
from convert.digits import network  # noqa: E402
from convert.sources import Source  # noqa: E402

SIDE_PX, CLASSES = 64, 12


class Run(NamedTuple):
    """What the command line did."""

    code: int
    out: str
    err: str


def like_trained(model: Any, seed: int = 3) -> Any:
    """Give batch norm means and variances that are not 0 and 1, as training does."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.moving_mean.shape
            weights = {"beta": rng.normal(0, 0.3, size), "moving_mean": rng.normal(0, 0.3, size)}
            weights["moving_variance"] = rng.uniform(0.3, 2.0, size)
            layer.set_weights([weights.get(w.name, np.ones(size)) for w in layer.weights])
    return model


def build_inception(activation: str | None = "softmax") -> Any:
    """A user's own narrow Inception, (1, 64, 64, 3) to 12 classes: one block of each kind."""
    keras.utils.set_random_seed(5)
    x = inputs = keras.Input((SIDE_PX, SIDE_PX, 3))
    x = network.conv(x, 8, (3, 3), strides=2)
    x = network.reduction(network.block_a(x, 16), 16)
    x = network.block_c(network.block_b(x, 16, n=5), 16)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(CLASSES, activation=activation, kernel_initializer=keras.initializers.RandomNormal(0, 2))(x)
    return like_trained(keras.Model(inputs, x))


@pytest.fixture(scope="session")
def inception() -> Any:
    return build_inception()


@pytest.fixture(scope="session")
def keras_file(inception: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras") / "narrow.keras"
    inception.save(path)
    return path


@pytest.fixture(scope="session")
def saved_model(inception: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "narrow_saved"
    inception.export(str(path), verbose=False)
    return path


@pytest.fixture(scope="session")
def float_tflite(keras_file: Path) -> bytes:
    from convert.opening.keras_files import open_keras
    from convert.options import Options

    return open_keras(keras_file, Options(str(keras_file))).tflite


@pytest.fixture(scope="session")
def inception_v3() -> Source:
    """The whole Inception v3 of Keras applications, (1, 299, 299, 3) to 1,000 classes."""
    from convert.opening.keras_files import from_keras

    model = like_trained(keras.applications.InceptionV3(weights=None))
    return from_keras(
        model,
        "inception_v3",
        {"kind": "keras.applications"},
        pixels=trained_with("tf"),
        trained=False,
    )


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve smooth pictures of blobs and edges, JPEG; not noise, which no camera gives."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(11)
    for i in range(12):
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(folder / f"{i:02}.jpg", quality=92)
    return folder


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """`python -m convert ...` in this process."""
    monkeypatch.setattr(sys, "argv", ["convert"])

    def call(*arguments: object) -> Run:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as error:  # argparse
            code = int(str(error.code))
        return Run(code, *capfd.readouterr())

    return call


@pytest.fixture(scope="session")
def mobilenet(test_data: Path) -> Path:
    return test_data / "mobilenet_v2"


@pytest.fixture(scope="session")
def imagenet_sample(test_data: Path) -> Path:
    return test_data / "imagenet_sample"
