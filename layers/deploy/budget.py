"""A monthly budget, which tells by e-mail that 80% are spent, or that the month will cost more than all of it.

It counts the whole account: a budget for one stage would need cost allocation tags, which an administrator must turn on
and which count only from then on. Budgets belong to no region, and CloudFormation knows them in few. So the stack is
made in one region, whichever the stage is in.
Source: AWS CloudFormation template reference, "AWS::Budgets::Budget".
"""

from collections.abc import Iterator
from typing import Any

from layers.deploy.cloudformation import Template
from layers.deploy.names import BUDGET, stack_name
from layers.deploy.stack import deploy_stack

REGION = "us-east-1"
_NOTICES = {"ACTUAL": 80, "FORECASTED": 100}
"""What is compared with the budget, and from which per cent on."""


def budget_template(name: str, usd: int, email: str) -> Template:
    """A stack with nothing but the budget."""
    budget = {
        "BudgetName": name,
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": usd, "Unit": "USD"},
    }
    notices = [
        {
            "Notification": {
                "NotificationType": kind,
                "ComparisonOperator": "GREATER_THAN",
                "Threshold": per_cent,
                "ThresholdType": "PERCENTAGE",
            },
            "Subscribers": [{"SubscriptionType": "EMAIL", "Address": email}],
        }
        for kind, per_cent in _NOTICES.items()
    ]
    properties = {"Budget": budget, "NotificationsWithSubscribers": notices}
    return {"Resources": {"Budget": {"Type": "AWS::Budgets::Budget", "Properties": properties}}}


def deploy_budget(cloudformation: Any, app_name: str, stage: str, usd: int, email: str) -> Iterator[str]:
    """Create or update the stack and wait for it, with a line on each step; raises PackageError."""
    name = stack_name(app_name, stage, BUDGET)
    yield from deploy_stack(cloudformation, name, budget_template(name, usd, email))
