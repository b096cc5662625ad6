"""What the README states is so: commands, options, statuses, variables, sample answers."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.statuses import STATUS
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SEVEN = (ROOT / "tests" / "data" / "seven.png").read_bytes()


@pytest.fixture
def digits(serve: Callable[..., Client]) -> Client:
    return serve(EMBEDDED_MODELS)


def json_block(page: str) -> dict[str, Any]:
    """The page's first block of JSON that stands alone."""
    found: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", page, re.S)[0])
    return found


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
    stated = json_block(README)
    assert without_measured(response.json_body) == without_measured(stated)
    assert response.json_body["predictions"][0]["score"] > 0.9


def test_the_log_line_has_the_stated_fields(digits: Client, log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    stated = json_block((ROOT / "docs" / "deploy.md").read_text(encoding="utf-8"))
    digits.http.get("/health")
    line = log_lines()[0]
    measured_once = {
        *("cold_start_ms", "engine", "engine_version", "threads", "python", "architecture", "features", "memory_mb"),
        "outside_delegate",
    }
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


def test_the_first_screen_has_a_command_to_run_to_test_and_to_deploy_the_table_and_the_picture() -> None:
    first = README.partition("\n## ")[0]
    for command in ("make run", "make test", "make deploy"):
        assert re.search(rf"^\| \*\*\w+\*\* \| `{command}` \|", first, re.M)
    assert "![" in first and "```json" in first
    assert len(first.splitlines()) < 70


def test_the_documents_named_are_there() -> None:
    for name in ("LICENSE", "CONTRIBUTING.md", "CHANGELOG.md", "tests/data/seven.png"):
        assert name in README
        assert (ROOT / name).is_file()
