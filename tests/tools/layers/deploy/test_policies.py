"""The policies of a stage, as `policies` writes them out of their templates: least rights, for this stage alone."""

import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from layers.deploy.policies import FOLDER, policy_files
from tests.support.paths import ROOT
from tests.tools.layers.conftest import Outcome

FUNCTIONS = {"api_handler", "worker", "lister", "intake", "lex", "plan", "classify", "report", "canary"}
CONFIG: dict[str, Any] = json.loads((ROOT / ".chalice/config.json").read_text())
ACCOUNT, STRANGER = "123456789012", "210987654321"
Run = Callable[..., Outcome]


def written(project: Path, stage: str) -> dict[str, Any]:
    """Each function's policy by its name."""
    return {
        Path(name).stem: json.loads((project / ".chalice" / name).read_text())
        for name in policy_files(CONFIG["stages"][stage])
    }


def statements(policies: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, statement) for name, policy in policies.items() for statement in policy["Statement"])


def resources(statement: Any) -> list[str]:
    found = statement["Resource"]
    return [found] if isinstance(found, str) else list(found)


def allows(policy: Any, action: str, resource: str, owner: str) -> bool:
    """Whether a statement of the policy allows a call to a role of ACCOUNT.

    `resource` belongs to `owner`. Only what these policies use is understood: `*` in resources, the two variables of
    IAM, StringEquals. Source: "IAM JSON policy elements: Variables and tags" of the IAM user guide.
    """
    values = {"${aws:PrincipalAccount}": ACCOUNT, "aws:ResourceAccount": owner}

    def filled(text: str) -> str:
        for name, value in values.items():
            text = text.replace(name, value)
        return text

    def holds(condition: Any) -> bool:
        assert set(condition) <= {"StringEquals"}
        return all(values[key] == filled(value) for key, value in condition.get("StringEquals", {}).items())

    return any(
        action in statement["Action"]
        and any(fnmatchcase(resource, filled(pattern)) for pattern in resources(statement))
        and holds(statement.get("Condition", {}))
        for statement in policy["Statement"]
    )


@pytest.fixture(params=sorted(CONFIG["stages"]))
def stage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def policies(project: Path, run: Run, stage: str) -> dict[str, Any]:
    outcome = run("policies", "--stage", stage, "--project", project)
    assert (outcome.code, outcome.out) == (0, f".chalice/policies/{stage}: 9 policies\n")
    return written(project, stage)


def test_each_function_has_its_own_and_each_template_is_used(policies: dict[str, Any]) -> None:
    assert set(policies) == FUNCTIONS == {path.stem for path in (ROOT / ".chalice" / FOLDER).glob("*.json")}
    assert CONFIG["autogen_policy"] is False


def test_a_policy_names_its_own_stage_alone(policies: dict[str, Any], stage: str) -> None:
    for _, statement in statements(policies):
        assert all(f"slimception-{stage}" in resource for resource in resources(statement))
        assert not any("*" in action for action in statement["Action"])


def test_each_function_has_only_what_it_calls(policies: dict[str, Any]) -> None:
    actions: dict[str, set[str]] = {name: set() for name in policies}
    for name, statement in statements(policies):
        actions[name] |= set(statement["Action"])
        if name in ("plan", "classify", "report") and "s3:PutObject" in statement["Action"]:
            assert all(resource.endswith("/workflows/*") for resource in resources(statement))
        if name == "api_handler" and {"s3:GetObject", "s3:PutObject"} & set(statement["Action"]):
            assert all(resource.endswith("/uploads/*") for resource in resources(statement))
    assert "s3:PutObject" not in actions["worker"]
    assert "s3:GetObject" not in actions["lister"]


CALLS = [("worker", "s3:GetObject", "/in/a.png"), ("lister", "s3:PutObject", "/results/x/results.jsonl"),
         ("lister", "s3:ListBucket", ""), ("plan", "s3:GetObject", "/labels.csv"), ("report", "s3:PutObject",
         "/workflows/a/b/report.json"), ("classify", "s3:PutObject", "/workflows/a/b/rows/000000.jsonl")]  # fmt: skip


@pytest.mark.parametrize(("function", "action", "key"), CALLS)
def test_only_buckets_of_the_own_account_and_of_the_own_stage(
    policies: dict[str, Any], stage: str, function: str, action: str, key: str
) -> None:
    def allowed(bucket: str, owner: str = ACCOUNT) -> bool:
        return allows(policies[function], action, f"arn:aws:s3:::{bucket}{key}", owner)

    own = f"slimception-{stage}-{ACCOUNT}-eu-west-1"
    assert allowed(own)
    assert not allowed(own, STRANGER), "a stranger made it before us"
    assert not allowed(f"slimception-{stage}-evil", STRANGER)
    assert not allowed(f"slimception-{stage}-evil")
    assert not allowed(f"slimception-{stage}-2-{ACCOUNT}-eu-west-1"), "another stage"


def test_every_statement_on_s3_compares_the_account(policies: dict[str, Any]) -> None:
    conditions = [
        statement.get("Condition")
        for _, statement in statements(policies)
        if any(action.startswith("s3:") for action in statement["Action"])
    ]
    own = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
    assert conditions == [own] * len(conditions) and len(conditions) > 8


def test_a_function_writes_into_its_own_log_group_and_makes_none(policies: dict[str, Any], stage: str) -> None:
    for name, policy in policies.items():
        own = f"slimception-{stage}" + ("" if name == "api_handler" else f"-{name}")

        def allowed(group: str, action: str = "logs:PutLogEvents", policy: Any = policy) -> bool:
            return allows(policy, action, f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/{group}", ACCOUNT)

        assert allowed(f"{own}:log-stream:2026/1") and allowed(f"{own}:*", "logs:CreateLogStream")
        assert not allowed(f"{own}elopment:log-stream:2026/1")
        assert not allowed(f"slimception-{stage}-2:log-stream:2026/1")
        assert not allowed(f"{own}:*", "logs:CreateLogGroup")


READERS = {"api_handler", "worker", "lex", "plan", "classify", "canary"}


def with_model(project: Path, run: Run, uri: str) -> Outcome:
    config = json.loads((project / ".chalice/config.json").read_text())
    config["stages"]["prod"]["environment_variables"]["MODEL_URI"] = uri
    (project / ".chalice/config.json").write_text(json.dumps(config))
    return run("policies", "--stage", "prod", "--project", project)


@pytest.mark.parametrize("end", ["", "/"])
def test_those_that_classify_may_read_the_bundle_of_the_stage_alone(project: Path, run: Run, end: str) -> None:
    assert with_model(project, run, f"s3://bucket/models/big{end}").code == 0
    own = "arn:aws:s3:::bucket/models/big/model.tflite"
    for name, policy in written(project, "prod").items():
        assert allows(policy, "s3:GetObject", own, ACCOUNT) == (name in READERS), name
        assert not allows(policy, "s3:GetObject", own, STRANGER)
        assert not allows(policy, "s3:PutObject", own, ACCOUNT)
        for other in ("bucket/models/big2/model.tflite", "bucket/models/model.json", "bucket2/models/big/model.json"):
            assert not allows(policy, "s3:GetObject", f"arn:aws:s3:::{other}", ACCOUNT)


def test_without_a_bundle_there_is_no_statement(policies: dict[str, Any]) -> None:
    assert not any(statement["Sid"] == "ReadModel" for _, statement in statements(policies))


@pytest.mark.parametrize("uri", ["models/big", "s3://", "s3://bucket/*/", "s3://bucket/a?c/", "s3://b/${aws:userid}/"])
def test_what_is_no_bundle_is_refused(project: Path, run: Run, uri: str) -> None:
    outcome = with_model(project, run, uri)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: MODEL_URI is {uri!r}, expected s3://bucket/prefix/name/")


def test_a_new_stage_needs_its_entry_alone(project: Path, run: Run) -> None:
    config = json.loads((project / ".chalice/config.json").read_text())
    files = {"iam_policy_file": "policies/blue/worker.json"}
    config["stages"]["blue"] = {"iam_policy_file": "own.json", "lambda_functions": {"worker": files}}
    (project / ".chalice/config.json").write_text(json.dumps(config))
    assert run("policies", "--stage", "blue", "--project", project).code == 0
    text = (project / ".chalice/policies/blue/worker.json").read_text()
    assert "table/slimception-blue-batches" in text and "${Stage}" not in text and "dev" not in text
    assert not (project / ".chalice/own.json").exists(), "a policy from elsewhere is the user's"


def test_a_template_that_is_not_there_is_named(project: Path, run: Run) -> None:
    (project / ".chalice/policies/plan.json").unlink()
    outcome = run("policies", "--stage", "dev", "--project", project)
    assert outcome.code == 2
    assert outcome.err.startswith("error: policies/dev/plan.json cannot be written from ")


def test_a_variable_of_iam_stays(project: Path, run: Run) -> None:
    template = project / ".chalice/policies/plan.json"
    template.write_text('{"Statement": [{"Resource": ["${Stage}/${aws:username}"], "Count": 1}]}')
    assert run("policies", "--stage", "prod", "--project", project).code == 0
    assert written(project, "prod")["plan"] == {"Statement": [{"Resource": ["prod/${aws:username}"], "Count": 1}]}
