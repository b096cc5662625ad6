"""Answers, log lines, batch files and reports, byte for byte but for what is measured, against `golden/`."""

import hashlib
import json
from typing import Any

import pytest

from chalicelib.workflow.report import html
from chalicelib.workflow.report.build import build
from tests.whole import golden_functions, golden_requests
from tests.whole.golden import FOLDER, as_text, check, settled
from tests.whole.golden_rows import SPLIT, others, rows
from tests.whole.recording import recorded

MEMORY_MB, ARCHITECTURE = 1769, "x86_64"


@pytest.fixture(scope="module")
def over_http(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return played(golden_requests, tmp_path_factory)


@pytest.fixture(scope="module")
def by_functions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return played(golden_functions, tmp_path_factory)


def played(module: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each scenario of the module gave, settled."""
    return {
        name: settled(recorded(module.__name__, name, scenario, tmp_path_factory.mktemp("copy")))
        for name, scenario in module.SCENARIOS.items()
    }


def of_all(scenarios: dict[str, Any], what: str) -> dict[str, Any]:
    return {name: found[what] for name, found in scenarios.items() if found[what]}


def test_answers(over_http: dict[str, Any]) -> None:
    check("answers.json", as_text(of_all(over_http, "answers")))


def test_log_lines(over_http: dict[str, Any]) -> None:
    check("log_lines.json", as_text(of_all(over_http, "lines")))


def test_answers_of_functions(by_functions: dict[str, Any]) -> None:
    check("function_answers.json", as_text(of_all(by_functions, "answers")))


def test_log_lines_of_functions(by_functions: dict[str, Any]) -> None:
    check("function_log_lines.json", as_text(of_all(by_functions, "lines")))


def test_files_of_batches_and_workflows(by_functions: dict[str, Any]) -> None:
    check("files.json", as_text(of_all(by_functions, "files")))


def test_a_report() -> None:
    made = build(rows(), SPLIT, MEMORY_MB, ARCHITECTURE)
    check("report.json", as_text(made))
    check("report.html", html.page(made))


def test_reports_with_other_verdicts() -> None:
    """The whole of each, and its page's checksum."""
    found = {}
    for name, given in others():
        made = build(given, SPLIT, MEMORY_MB, ARCHITECTURE)
        page = html.page(made).encode()
        found[name] = {"report": made, "page": [len(page), hashlib.sha256(page).hexdigest()]}
    check("reports.json", as_text(json.loads(json.dumps(found))))


def test_the_files_stay_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 500_000
