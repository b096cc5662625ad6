"""Roles of functions in the local AWS, which enforces their policies."""

import json
from typing import Any

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def policy(*actions: str, resource: str = "*", **more: Any) -> str:
    """A policy in JSON with one statement; without actions, it allows what nobody can do."""
    statement = {"Effect": "Allow", "Action": list(actions) or ["none:None"], "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_role(cloud: Any, name: str, *actions: str) -> str:
    """Make a role that may do these actions on everything; gives its ARN."""
    iam = cloud.client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=policy(*actions))
    iam.close()
    return arn
