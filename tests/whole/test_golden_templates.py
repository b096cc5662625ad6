"""What is handed to CloudFormation and IAM, against `golden/`: the packaged template, the stacks, the policies."""

import difflib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from tests.support.paths import ROOT
from tests.support.wheelhouse import write_zip
from tests.whole.golden import FOLDER, as_text, check, compact

boto3 = pytest.importorskip("boto3", reason="the tools are not installed")
pytest.importorskip("rich", reason="the tools are not installed")
from layers.__main__ import main  # noqa: E402

STAGES = ("dev", "prod")
HASH = re.compile(r"\b((?:Runtime|Model)[A-Za-z0-9]+?)[0-9a-f]{8}\b")
"""Of a layer's content, at the end of its logical id."""
PARTS_THAT_WRITE_NOTHING = ("layers.deploy.package._lint", "layers.deploy.package._prove")
"""They need built layers and take long, and the template is the same without them."""
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:"


def test_packaged_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in PARTS_THAT_WRITE_NOTHING:
        monkeypatch.setattr(part, lambda *_: ())
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    write_zip(tmp_path / "layers/runtime-py313-arm64.zip", {"lib/libcpulist.so": b"", "python/tiny.py": b""})
    digits = ROOT / "chalicelib/models/digits"
    write_zip(tmp_path / "layers/model-own.zip", {f"models/own/{f.name}": f.read_bytes() for f in digits.iterdir()})
    ignored = shutil.ignore_patterns("deploy*", "__pycache__")
    for name in (".chalice", "chalicelib"):
        shutil.copytree(ROOT / name, tmp_path / "project" / name, ignore=ignored)
    shutil.copy(ROOT / "app.py", tmp_path / "project")
    (tmp_path / "project/requirements.txt").touch()
    for stage in STAGES:
        out = tmp_path / stage
        options = ["--stage", stage, "--project", tmp_path / "project", "--out", tmp_path / "layers", "--package", out]
        assert main(["package", *map(str, options)]) == 0
        text = HASH.sub(r"\1<hash>", (out / "sam.json").read_text(encoding="utf-8"))
        check_stage("template", stage, text)


@pytest.mark.parametrize("stage", STAGES)
def test_stacks(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(boto3, "client", lambda service: Aws(service, asked))
    topic = ["--alarm-topic", "arn:aws:sns:eu-west-1:123456789012:on-call"]
    triggers = ["triggers", "--topic", "arn:aws:sns:eu-west-1:123456789012:pictures", "--schedule", "none"]
    mappings = (["mappings"], ["mappings", "--concurrency", "5"])
    for command in (["backing"], ["workflow", *topic], ["watching"], *mappings, triggers):
        asked.append({"command": command})
        assert main([*command, "--stage", stage]) == 0
    check_stage("stacks", stage, json.dumps(asked))


def test_policies(tmp_path: Path) -> None:
    """Every function's, as the stage's configuration names it and `policies` writes it."""
    project = tmp_path / "project"
    shutil.copytree(ROOT / ".chalice", project / ".chalice", ignore=shutil.ignore_patterns("deploy*", *STAGES))
    config = json.loads((project / ".chalice/config.json").read_text(encoding="utf-8"))
    found = {}
    for stage, chosen in config["stages"].items():
        assert main(["policies", "--stage", stage, "--project", str(project)]) == 0
        files = {name: function["iam_policy_file"] for name, function in chosen["lambda_functions"].items()}
        for function, name in {"api_handler": chosen["iam_policy_file"], **files}.items():
            found[f"{stage} {function}"] = json.loads((project / ".chalice" / name).read_text(encoding="utf-8"))
    check("policies.json", as_text(found))


def check_stage(name: str, stage: str, text: str) -> None:
    """The first stage's is kept whole, of another one where it differs by more than the stage's name: nowhere."""
    shown = as_text(unfolded(json.loads(text)))
    if stage == STAGES[0]:
        check(f"{name}.json", shown)
        return
    first = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    swapped = re.sub(rf"\b{STAGES[0]}\b", stage, first)
    diff = difflib.unified_diff(swapped.splitlines(), shown.splitlines(), STAGES[0], stage, lineterm="")
    check(f"{name}-{stage}.txt", "\n".join([f"as {name}.json, with {stage} for {STAGES[0]}", *diff]) + "\n")


def unfolded(value: Any) -> Any:
    """JSON within strings (a definition, a dashboard, a template's body) as JSON, where its bytes follow from it."""
    if isinstance(value, dict):
        return {name: unfolded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [unfolded(one) for one in value]
    if isinstance(value, str) and value.startswith("{"):
        for way, write in {"JSON, compact": compact, "JSON": json.dumps}.items():
            try:
                parsed = json.loads(value)
            except ValueError:
                return value
            if write(parsed) == value:
                return {f"<{way}>": unfolded(parsed)}
    return value


class Aws:
    """An account with functions and no stacks, which notes what it is asked to make or to change."""

    class ClientError(Exception):
        pass

    def __init__(self, service: str, asked: list[Any]) -> None:
        self.exceptions = MagicMock(ClientError=self.ClientError, ResourceNotFoundException=LookupError)
        self._service, self._asked, self._stacks = service, asked, set()

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803
        if StackName not in self._stacks:
            raise self.ClientError(f"{StackName} does not exist")
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}

    def create_change_set(self, **given: Any) -> Any:
        assert given.pop("ChangeSetName").startswith("deploy-")
        self._stacks.add(given["StackName"])
        self._asked.append({"create_change_set": given})
        return {"Id": f"of {given['StackName']}"}

    def describe_change_set(self, **_: Any) -> Any:
        return {"Status": "CREATE_COMPLETE"}

    def execute_change_set(self, StackName: str, ChangeSetName: str) -> None:  # noqa: N803
        self._asked.append({"execute_change_set": ChangeSetName})

    def get_function_configuration(self, FunctionName: str) -> Any:  # noqa: N803
        return {"FunctionArn": FUNCTION_ARN + FunctionName}

    def list_event_source_mappings(self, FunctionName: str) -> Any:  # noqa: N803
        return {"EventSourceMappings": []}

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda **given: self._asked.append({name: given})
