"""How the workflow's source is expanded to Amazon States Language."""

import json
from pathlib import Path
from typing import Any

import pytest

from layers.deploy.definition import read_definition
from layers.errors import PackageError
from tests.support.paths import ROOT

SOURCE: dict[str, Any] = {
    "StartAt": "A",
    "Retry": [
        {"ErrorEquals": ["Busy"], "one": {"IntervalSeconds": 1, "MaxAttempts": 2, "MaxDelaySeconds": 3}},
        {"ErrorEquals": ["Gone"], "other": {"IntervalSeconds": 4, "MaxAttempts": 5, "MaxDelaySeconds": 6}},
    ],
    "Group": {
        "StartAt": "Work",
        "States": {
            "Work": {"Retry": "one", "Catch": [{"Next": "Note"}], "Next": "Note"},
            "Note": {"Type": "Pass", "Comment": "Work", "End": True},
        },
    },
    "States": {
        "A": {"ItemProcessor": {"Mode": "INLINE", "Group": ""}, "Next": "B"},
        "B": {"ItemProcessor": {"Group": " again"}, "End": True},
    },
}
BUSY = {
    "ErrorEquals": ["Busy"],
    "IntervalSeconds": 1,
    "MaxAttempts": 2,
    "BackoffRate": 2,
    "MaxDelaySeconds": 3,
    "JitterStrategy": "FULL",
}


def expanded(folder: Path, source: Any) -> dict[str, Any]:
    (folder / "workflow.asl.json").write_text(json.dumps(source))
    return read_definition(folder / "workflow.asl.json")


def test_a_group_stands_for_its_states_and_a_column_for_its_retriers(tmp_path: Path) -> None:
    assert expanded(tmp_path, SOURCE) == {
        "StartAt": "A",
        "States": {
            "A": {
                "ItemProcessor": {
                    "Mode": "INLINE",
                    "StartAt": "Work",
                    "States": {
                        "Work": {"Retry": [BUSY], "Catch": [{"Next": "Note"}], "Next": "Note"},
                        "Note": {"Type": "Pass", "Comment": "Work", "End": True},
                    },
                },
                "Next": "B",
            },
            "B": {
                "ItemProcessor": {
                    "StartAt": "Work again",
                    "States": {
                        "Work again": {"Retry": [BUSY], "Catch": [{"Next": "Note again"}], "Next": "Note again"},
                        "Note again": {"Type": "Pass", "Comment": "Work", "End": True},
                    },
                },
                "End": True,
            },
        },
    }


@pytest.mark.parametrize("part", ["Retry", "Group"])
def test_a_source_without_its_parts_is_refused(tmp_path: Path, part: str) -> None:
    with pytest.raises(PackageError, match=r"workflow\.asl\.json is not a workflow with the parts Retry and Group"):
        expanded(tmp_path, {name: value for name, value in SOURCE.items() if name != part})


def test_a_column_that_no_row_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"KeyError\('nobody'\)"):
        expanded(tmp_path, {**SOURCE, "States": {"A": {"Retry": "nobody"}}})


def test_the_source_says_each_thing_once() -> None:
    text = (ROOT / ".chalice/workflow.asl.json").read_text()
    for once in ('"Retry": [', '"Lambda.TooManyRequestsException"', '"Classify": {', '"Record the failure": {'):
        assert text.count(once) == 1, once
