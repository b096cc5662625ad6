"""`--sizes` measures each size as `--input-size` makes it, and keeps the cheapest that is good enough."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("keras", reason="conversion needs TensorFlow: make convert-env")

from chalicelib.pricing import cost_usd
from chalicelib.telemetry import Spans
from convert.sizes.comparison import MAX_ACCURACY_LOSS, Measured, is_good
from convert.verify import AtOwnSize
from tests.tools.convert.conftest import Run
from tests.tools.convert.sizes.rows import row
from tests.tools.convert.test_command_line import listing, served
from tests.tools.convert.test_other_size import deep, network

Cli = Callable[..., Run]


class Compared(NamedTuple):
    """What one comparison left."""

    run: Run
    out: Path
    pictures: Path


@pytest.fixture
def sorted_pictures(run: Cli, keras_file: Path, pictures: Path, tmp_path: Path) -> Path:
    """The pictures in folders named after the labels that the network gives them at its own size."""
    assert run(keras_file, "--preprocess", "tf", "--quantize", "float32", "--out", tmp_path / "own").code == 0
    classifier = served(tmp_path / "own" / "narrow")
    for picture in pictures.glob("*.jpg"):
        label = classifier.classify(picture.read_bytes(), 1, Spans())[0].label
        folder = tmp_path / "sorted" / label
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, folder)
    return tmp_path / "sorted"


@pytest.fixture
def compared(run: Cli, keras_file: Path, sorted_pictures: Path, tmp_path: Path) -> Compared:
    given = (
        "--preprocess",
        "tf",
        "--quantize",
        "float32",
        "--validation",
        sorted_pictures,
        "--out",
        tmp_path / "models",
    )
    return Compared(
        run(keras_file, *given, "--sizes", "56,96x80", "--min-agreement", "1"), tmp_path / "models", sorted_pictures
    )


def test_the_table_the_curve_and_one_bundle(compared: Compared) -> None:
    assert compared.run.code == 0, compared.run.err
    rows = re.findall(r"│ (\d+x\d+) +│ +([\d.]+)% │ +([\d.]+)% │", compared.run.out)
    assert [name for name, _, _ in rows] == ["56x56", "64x64", "96x80"]
    agreement, accuracy = ({name: float(values[i]) for name, *values in rows} for i in (0, 1))
    assert agreement["64x64"] == 100.0
    assert accuracy == agreement, "the folders are the source's own answers"
    assert listing(compared.out) == ["narrow", "narrow-sizes.svg"]
    (best,) = re.findall(r"recommended: (\d+x\d+), the cheapest", compared.run.out)
    spec = served(compared.out / "narrow").card.input
    assert f"{spec.width}x{spec.height}" == best
    assert f"the same command with --input-size {best}" in compared.run.out


def test_a_row_is_what_input_size_measures(run: Cli, keras_file: Path, compared: Compared, tmp_path: Path) -> None:
    given = ("--preprocess", "tf", "--quantize", "float32", "--validation", compared.pictures, "--input-size", "56")
    assert run(keras_file, *given, "--out", tmp_path, "--name", "alone").code == 0
    own = json.loads((tmp_path / "alone" / "model.json").read_text())["verification"]["own_size"]
    assert re.search(rf"│ 56x56 +│ +{100 * own['top1_agreement']:.1f}% │", compared.run.out)
    assert own["source_accuracy"] == 1.0

    card = served(compared.out / "narrow").card
    (ms,) = re.findall(rf"│ {card.input.width}x{card.input.height} +│[^│]+│[^│]+│[^│]+│ +([\d.]+) │", compared.run.out)
    assert f"{card.verification['latency_ms']:.1f}" == ms


def test_without_pictures_it_is_refused(run: Cli, keras_file: Path, tmp_path: Path) -> None:
    result = run(keras_file, "--sizes", "56,64", "--out", tmp_path / "models")
    assert (result.code, listing(tmp_path / "models")) == (2, [])
    assert "--sizes compares the sizes on your own pictures: give --validation DIR" in result.err


def test_a_size_that_does_not_fit_is_refused_before_any_is_measured(run: Cli, pictures: Path, tmp_path: Path) -> None:
    network(deep, 64, 64).save(tmp_path / "deep.keras")
    result = run(tmp_path / "deep.keras", "--sizes", "20,72", "--validation", pictures, "--out", tmp_path / "models")
    assert (result.code, listing(tmp_path / "models")) == (2, [])
    assert "deep cannot take pictures of 20x20 px" in result.err
    assert "64x64 px" not in result.err


def test_if_none_is_good_nothing_is_written(run: Cli, keras_file: Path, pictures: Path, tmp_path: Path) -> None:
    given = ("--validation", pictures, "--out", tmp_path / "models", "--max-difference", "0")
    result = run(keras_file, "--sizes", "56", "--quantize", "dynamic", *given)
    assert (result.code, listing(tmp_path / "models")) == (1, [])
    assert "no size is good enough" in result.err


@pytest.mark.parametrize("text", ["", "a", "56,", "56;64", "0"])
def test_sizes_are_numbers_with_commas_between(text: str, run: Cli, keras_file: Path) -> None:
    result = run(keras_file, "--sizes", text)
    assert (result.code, "expected a number of pixels" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("agreement", "accuracy", "wanted", "disagreement", "good"),
    [
        (0.95, None, None, None, True),
        (0.89, None, None, None, False),
        (0.95, 0.80, 0.80 + MAX_ACCURACY_LOSS, None, True),
        (0.95, 0.79, 0.80 + MAX_ACCURACY_LOSS, None, False),
        (0.95, None, None, "a score differs", False),
    ],
)
def test_what_is_good(
    agreement: float, accuracy: float | None, wanted: float | None, disagreement: str | None, good: bool
) -> None:
    own = AtOwnSize("64x64", agreement, 0.1, wanted)
    assert is_good(own, accuracy, disagreement, 0.9) == good


def test_dollars_are_lambdas_for_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: Measured = row(64, 1.0, None, 99.2)
    monkeypatch.setattr("convert.sizes.comparison.platform.machine", lambda: "x86_64")
    assert measured.usd_per_million == pytest.approx(1e6 * cost_usd(100, 1769, "x86_64"))
