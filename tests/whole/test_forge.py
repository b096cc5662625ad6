"""What .github/ and the pre-commit hook name is there: make targets, files; and every action is pinned."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.pages import ROOT, text_of

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

FORGE = ROOT / ".github"
WORKFLOWS = sorted((FORGE / "workflows").glob("*.yml"))
SETTINGS = [*sorted(FORGE.rglob("*.yml")), ROOT / ".pre-commit-config.yaml"]
TARGETS = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.M))


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(text_of(path))["jobs"].values():
        yield from job["steps"]


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.name)


def test_every_finding_that_is_accepted_has_a_reason() -> None:
    lines = re.findall(r"^  - (\S+) ?(.*)$", text_of(ROOT / ".checkov.yaml"), re.M)
    accepted = yaml.safe_load(text_of(ROOT / ".checkov.yaml"))["skip-check"]
    assert [name for name, _ in lines] == accepted == sorted(set(accepted), key=lambda name: int(name.split("_")[-1]))
    assert all(re.match(r"# .{20,}", reason) for _, reason in lines)


@each(SETTINGS)
def test_it_is_yaml(path: Path) -> None:
    assert yaml.safe_load(text_of(path))


@each(WORKFLOWS)
def test_every_action_is_pinned_by_a_commit_and_says_its_version(path: Path) -> None:
    lines = re.findall(r"uses: (.*)", text_of(path))
    assert len(lines) == sum("uses" in step for step in steps(path)) > 0
    for line in lines:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@each(WORKFLOWS)
def test_every_command_is_a_make_target_that_exists(path: Path) -> None:
    run = [step["run"] for step in steps(path) if "run" in step]
    assert run
    for line in run:
        target = re.fullmatch(r"make ([a-z-]+)( [A-Z]+=\S+)*", line)
        assert target and target[1] in TARGETS, line


@each(WORKFLOWS)
def test_a_workflow_may_only_read_and_one_may_sign_in_to_aws(path: Path) -> None:
    may = {"contents": "read"} | ({"id-token": "write"} if path.name == "deploy.yml" else {})
    assert yaml.safe_load(text_of(path))["permissions"] == may


def test_deploying_is_started_by_hand_for_a_stage_that_there_is_and_stores_no_key() -> None:
    workflow = yaml.safe_load(text_of(FORGE / "workflows" / "deploy.yml"))
    started = workflow[True]  # YAML 1.1 reads "on" as true
    stages = json.loads(text_of(ROOT / ".chalice" / "config.json"))["stages"]
    assert set(started) == {"workflow_dispatch"} and started["workflow_dispatch"]["inputs"]["stage"]["options"] == [
        *stages
    ]
    (job,) = workflow["jobs"].values()
    assert job["environment"] == "${{ inputs.stage }}"
    assert "secrets." not in text_of(FORGE / "workflows" / "deploy.yml")
    assert not [step for step in job["steps"] if "${{" in step.get("run", "")], "an input could become a command"


def test_each_push_is_checked_under_every_python_of_lambda() -> None:
    job = yaml.safe_load(text_of(FORGE / "workflows" / "ci.yml"))["jobs"]["check-and-unit"]
    assert job["strategy"]["matrix"]["python"] == ["3.12", "3.13", "3.14"]


def test_the_hook_is_a_make_target_and_downloads_nothing() -> None:
    hooks = [
        hook for repo in yaml.safe_load(text_of(ROOT / ".pre-commit-config.yaml"))["repos"] for hook in repo["hooks"]
    ]
    assert [(hook["entry"], hook["language"]) for hook in hooks] == [("make check", "system")]


@each(sorted([*FORGE.rglob("*.yml"), *FORGE.rglob("*.md")]))
def test_every_file_named_exists(path: Path) -> None:
    text = text_of(path)
    named = re.findall(r"\.\./blob/main/([\w./-]+)", text) + re.findall(r"\b(?:docs/)?[\w-]+\.md\b", text)
    for name in named:
        assert (ROOT / name).is_file(), name


def test_dependabot_looks_where_requirements_lie() -> None:
    pip, *_ = yaml.safe_load(text_of(FORGE / "dependabot.yml"))["updates"]
    folders = {
        f"/{path.parent.relative_to(ROOT)}"
        for path in ROOT.glob("*/*.txt")
        if "requirements" in str(path.relative_to(ROOT))
    }
    assert set(pip["directories"]) == folders
