"""What the README states is so: commands, options, statuses, variables, sample answers."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.exchange import STATUS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SEVEN = (ROOT / "tests" / "data" / "seven.png").read_bytes()


@pytest.fixture
def digits(serve: Callable[..., Client]) -> Client:
    return serve(EMBEDDED_MODELS)


def json_blocks() -> list[dict[str, Any]]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", README, re.S)]


def without_measured(answer: dict[str, Any]) -> dict[str, Any]:
    """Scores to two digits: processors round the last ones differently."""
    predictions = [{**p, "score": round(p["score"], 2)} for p in answer["predictions"]]
    return {
        "model": answer["model"],
        "best": predictions[0],
        "fields": sorted(answer),
        "timing": sorted(answer["timing_ms"]),
    }


def test_the_sample_answer_is_what_the_app_answers(digits: Client) -> None:
    body = json.dumps({"image": base64.b64encode(SEVEN).decode(), "top_k": 3}).encode()
    response = digits.http.post("/predict", headers={"Content-Type": "application/json"}, body=body)
    stated = json_blocks()[0]
    assert without_measured(response.json_body) == without_measured(stated)
    assert response.json_body["predictions"][0]["score"] > 0.9


def test_the_log_line_has_the_stated_fields(digits: Client, log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    stated = json_blocks()[1]
    digits.http.get("/health")
    line = log_lines()[0]
    measured_once = {"cold_start_ms", "engine", "engine_version", "threads", "python", "architecture", "memory_mb"}
    assert set(stated) - measured_once <= set(line)
    assert stated["cold_start_ms"]["total_ms"] == pytest.approx(sum(stated["cold_start_ms"].values()) / 2, abs=0.1)


def test_every_status_stands_in_the_table_and_no_other() -> None:
    stated = {(int(status), code) for status, code in re.findall(r"^\| (\d{3}) \| `(\w+)` \|", README, re.M)}
    assert stated == set(STATUS.values())


def test_every_variable_stands_in_the_table_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    section = README.partition("## Settings")[2].partition("\n## ")[0]
    stated = set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.M))
    asked: set[str] = set()

    class Recorder(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            asked.add(name)
            return default

    Settings.from_env(Recorder())
    assert {name for name in asked if not name.startswith("AWS_")} == stated


def test_every_make_command_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"`?\bmake ([a-z-]+)", README)) - {"are"} <= targets


def test_every_option_of_the_converter_stands_in_the_table_and_no_other() -> None:
    from convert.__main__ import parser

    section = README.partition("## Convert a model")[2].partition("\n## ")[0]
    stated = set(re.findall(r"`(--[a-z-]+)", "".join(line for line in section.splitlines() if line.startswith("| `"))))
    options = {option for action in parser()._actions for option in action.option_strings if option.startswith("--")}
    stated |= set(re.findall(r"`(--out) DIR`", section))
    assert stated == options - {"--help"}


def test_every_command_line_of_the_converter_parses() -> None:
    from convert.__main__ import parser

    lines = re.findall(r"python -m convert (.+)$", README, re.M)
    commands = [re.sub(r"\s+#.*|`.*", "", line).split() for line in lines]
    assert len(commands) >= 6
    for command in commands:
        parser().parse_args(command)


def test_the_documents_named_are_there() -> None:
    for name in ("LICENSE", "CONTRIBUTING.md", "CHANGELOG.md", "tests/data/seven.png"):
        assert name in README
        assert (ROOT / name).is_file()
