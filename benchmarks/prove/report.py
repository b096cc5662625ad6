"""Writes down what a stage answered, without the account's id."""

import json
import platform
from pathlib import Path
from typing import Any

Answers = dict[str, dict[str, Any]]
"""Name of a question to its answer, which has `holds`, or to `error`."""


def problems(answers: Answers) -> list[str]:
    """The questions whose answer is not what the documents promise, or that could not be asked."""
    return [name for name, answer in answers.items() if not answer.get("holds")]


def write(folder: Path, about: dict[str, Any], answers: Answers, account: str) -> tuple[Path, Path]:
    """Write `report.json` and `report.txt` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"about": {**about, "client": platform.platform()}, "answers": answers}
    texts = {
        folder / "report.json": json.dumps(whole, indent=2, default=str) + "\n",
        folder / "report.txt": "\n".join(lines(about, answers)) + "\n",
    }
    for path, text in texts.items():
        path.write_text(text.replace(account, "<account>"), encoding="utf-8")
    return folder / "report.json", folder / "report.txt"


def lines(about: dict[str, Any], answers: Answers) -> list[str]:
    """The report for people: a question a paragraph."""
    shown = [", ".join(f"{name} {value}" for name, value in about.items()), ""]
    for name, answer in answers.items():
        mark = "ok  " if answer.get("holds") else "LOOK"
        shown.append(f"{mark} {name}")
        for key, value in answer.items():
            if key != "holds":
                shown.append(f"       {key}: {value if isinstance(value, str) else json.dumps(value, default=str)}")
    return shown
