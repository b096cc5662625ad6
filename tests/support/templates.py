"""CloudFormation's linter."""

import json
from typing import Any

import pytest


def errors_in(template: dict[str, Any]) -> list[str]:
    """What cfn-lint calls an error; skips the test where it is not installed."""
    cfnlint = pytest.importorskip("cfnlint.api")
    found = cfnlint.lint_all(json.dumps(template))
    return [f"{match.rule.id} {match.message}" for match in found if match.rule.id[0] == "E"]
