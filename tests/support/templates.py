"""CloudFormation's linter, its macro for SAM, and what it makes of conditions."""

import json
from typing import Any

import pytest

Template = dict[str, Any]
ACCOUNT, REGION = "123456789012", "eu-west-1"
_NOTHING = {"Ref": "AWS::NoValue"}


def errors_in(template: Template, *regions: str) -> list[str]:
    """What cfn-lint calls an error or a warning in these regions or in any; skips the test where it is not installed.

    All regions take as long as their number says.
    """
    cfnlint = pytest.importorskip("cfnlint.api")
    text = json.dumps(template)
    found = cfnlint.lint(text, regions=list(regions)) if regions else cfnlint.lint_all(text)
    return sorted({f"{match.rule.id} {match.message}" for match in found if match.rule.id[0] in "EW"})


def expanded(template: Template, monkeypatch: pytest.MonkeyPatch, **parameters: Any) -> Template:
    """The resources that CloudFormation's own macro makes of a template whose artefacts lie in S3."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    parser = pytest.importorskip("samtranslator.parser.parser", reason="aws-sam-translator is not installed")
    translator = pytest.importorskip("samtranslator.translator.translator")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    uploaded = json.loads(json.dumps(template).replace('"./', '"s3://artefacts/'))
    session = boto3.session.Session(region_name=REGION)
    macro = translator.Translator({}, parser.Parser(), boto_session=session)
    resources: Template = macro.translate(uploaded, {**defaults(template), **parameters})["Resources"]
    return resources


def made_with(template: Template, **parameters: Any) -> Template:
    """The resources that CloudFormation makes with these parameters: conditions decided, references left."""
    values = {**defaults(template), **parameters}
    conditions = template.get("Conditions", {})
    holds = {name: _holds(condition, values, conditions) for name, condition in conditions.items()}
    return {
        name: _decided(resource, holds)
        for name, resource in template["Resources"].items()
        if holds.get(resource.get("Condition"), True)
    }


def defaults(template: Template) -> Template:
    return {name: parameter["Default"] for name, parameter in template["Parameters"].items()}


def _holds(condition: Template, values: Template, others: Template) -> bool:
    [(function, arguments)] = condition.items()
    if function == "Condition":
        return _holds(others[arguments], values, others)
    if function == "Fn::And":
        return all(_holds(one, values, others) for one in arguments)
    if function == "Fn::Not":
        return not _holds(arguments[0], values, others)
    assert function == "Fn::Equals", function
    one, other = (values[part["Ref"]] if isinstance(part, dict) else part for part in arguments)
    return str(one) == str(other)


def _decided(node: Any, holds: dict[str, bool]) -> Any:
    if isinstance(node, list):
        return [decided for item in node if (decided := _decided(item, holds)) != _NOTHING]
    if not isinstance(node, dict):
        return node
    if set(node) == {"Fn::If"}:
        condition, one, other = node["Fn::If"]
        return _decided(one if holds[condition] else other, holds)
    return {name: decided for name, item in node.items() if (decided := _decided(item, holds)) != _NOTHING}
