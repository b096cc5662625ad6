"""docs/your-own-model.md's example, from training to the answer, as it stands there."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.local_server import Server, serving
from tests.support.pages import DOCS, ROOT, blocks, commands

PAGE = DOCS / "your-own-model.md"
STATED_URL = "http://127.0.0.1:8000"


def run(folder: Path, command: str) -> str:
    """What a command prints, run in `folder` as if it were the project's."""
    command = command.replace(".venv/bin/python", sys.executable)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "HOME": str(folder)}
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder after the commands that train and convert."""
    place = tmp_path_factory.mktemp("shapes")
    (place / "shapes.py").write_text(blocks(PAGE, "python")[0])
    said = [run(place, command) for command in commands(PAGE) if command.startswith(".venv/bin/python")]
    (place / "said.txt").write_text("".join(said))
    return place


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    output = tmp_path_factory.mktemp("serving") / "output.txt"
    with serving(output, MODEL_DIR=str(folder / "models"), MODEL_NAME="shapes") as started:
        yield started


def test_the_bundle_is_right_on_the_pictures(folder: Path) -> None:
    card = card_of(folder / "models" / "shapes")
    assert card["verification"]["accuracy"] >= 0.99
    assert card["verification"]["top1_agreement"] >= 0.99


def test_the_table_shown_has_the_rows_that_are_printed(folder: Path) -> None:
    shown, printed = blocks(PAGE, "text")[0], (folder / "said.txt").read_text()
    stated = rows(shown)
    assert "accuracy" in stated
    assert stated == rows(printed)[: len(stated)]


def rows(table: str) -> list[str]:
    return re.findall(r"^│ ([\w ]+?) +│", table, re.M)


def test_every_question_is_answered_rightly(folder: Path, server: Server) -> None:
    questions = [command for command in commands(PAGE) if command.startswith("curl")]
    assert len(questions) == 2
    for question in questions:
        answer = json.loads(run(folder, question.replace(STATED_URL, server.url.rstrip("/"))))
        assert answer["predictions"][0]["label"] == "square"
        assert shape_of(answer) == shape_of(json.loads(blocks(PAGE, "json")[0]))


def shape_of(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: sorted(value) if isinstance(value, dict) else type(value) for name, value in answer.items()}


@pytest.fixture(scope="module")
def elsewhere(folder: Path) -> Path:
    """Bundles converted otherwise than the example: in one process, for importing TensorFlow takes its time."""
    script = """
import keras
from convert.__main__ import main

model = keras.models.load_model("shapes.keras")
keras.Sequential([keras.Input((48, 48, 3)), keras.layers.Rescaling(1 / 255), model]).save("scaled.keras")
given = ["--labels", "shapes.txt", "--validation", "pictures", "--out", "elsewhere"]
assert main(["shapes.keras", "--preprocess", "none", *given]) == 0
assert main(["scaled.keras", "--min-agreement", "0", *given]) == 0
"""
    (folder / "otherwise.py").write_text(script)
    run(folder, ".venv/bin/python otherwise.py")
    return folder / "elsewhere"


def test_the_wrong_preprocessing_shows_in_the_accuracy_alone(elsewhere: Path) -> None:
    measured = card_of(elsewhere / "shapes")["verification"]
    assert measured["top1_agreement"] >= 0.99
    assert measured["accuracy"] < 0.95


def test_a_model_may_scale_its_pixels_itself(elsewhere: Path) -> None:
    card = card_of(elsewhere / "scaled")
    assert (card["input"]["mean"], card["input"]["std"]) == ([0.0] * 3, [1.0] * 3)


def card_of(bundle: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((bundle / "model.json").read_text())
    return card
