"""Finds what a stage has deployed, in either way of deploying. Only reads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.api_client import ApiClient

Client = Callable[[str], Any]
PROJECT = Path(__file__).resolve().parents[2]


class NotDeployed(Exception):
    """A part of the stage cannot be found."""


class Stage(NamedTuple):
    """A deployed stage."""

    name: str
    client: Client
    """Gives a service's boto3 client."""
    api: ApiClient
    account: str
    region: str
    functions: dict[str, str]
    """The name in `app.py` (the API's is `api`) to the deployed function's name."""

    @property
    def prefix(self) -> str:
        """Begins the names of queues, table and bucket."""
        return f"slimception-{self.name}"

    @property
    def bucket(self) -> str:
        """The stage's own."""
        return f"{self.prefix}-{self.account}-{self.region}"

    def queue_arn(self, what: str) -> str:
        """Of the queue `pictures`, `listings` or `dead-letters`."""
        return f"arn:aws:sqs:{self.region}:{self.account}:{self.prefix}-{what}"

    def log_group(self, function: str) -> str:
        """The function's, as it is configured."""
        found = self.client("lambda").get_function_configuration(FunctionName=self.functions[function])
        return str(found.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{self.functions[function]}")


def find(name: str, session: Any, client: Client, url: str | None = None) -> Stage:
    """The stage called `name` in the session's account and region; raises NotDeployed, and botocore's errors."""
    region = session.region_name
    if not region:
        raise NotDeployed("no region is set: AWS_DEFAULT_REGION, or `aws configure`")
    credentials = session.get_credentials()
    if credentials is None:
        raise NotDeployed("no credentials are set: AWS_PROFILE, or `aws configure`")
    account = client("sts").get_caller_identity()["Account"]
    address = url or _address(name, client)
    functions = _functions(f"slimception-{name}", client("lambda"))
    return Stage(name, client, ApiClient(address.rstrip("/") + "/", credentials, region), account, region, functions)


def _functions(prefix: str, functions: Any) -> dict[str, str]:
    """Chalice names `<prefix>` and `<prefix>-worker`, CloudFormation `<prefix>-Worker-...`.

    Behind an HTTP API or a function URL, Chalice's name of the API's function is `<prefix>-front`.
    """
    pages = functions.get_paginator("list_functions").paginate()
    names = [found["FunctionName"] for page in pages for found in page["Functions"]]
    kinds = {
        "api": "APIHandler",
        **{kind: kind.capitalize() for kind in ("worker", "lister", "plan", "classify", "report")},
    }
    found = {}
    for kind, logical_id in kinds.items():
        plain = (prefix, f"{prefix}-front") if kind == "api" else (f"{prefix}-{kind}",)
        fitting = [name for name in names if name in plain or name.startswith(f"{prefix}-{logical_id}-")]
        if not fitting:
            raise NotDeployed(f"no function {plain[0]} is in this account and region: `make deploy` first")
        found[kind] = fitting[0]
    return found


def _address(name: str, client: Client) -> str:
    """What Chalice noted, or the output of the front's stack, or of the stage's one stack."""
    noted = PROJECT / ".chalice" / "deployed" / f"{name}.json"
    if noted.is_file():
        for resource in json.loads(noted.read_text(encoding="utf-8"))["resources"]:
            if resource["resource_type"] == "rest_api":
                return str(resource["rest_api_url"])
    cloudformation = client("cloudformation")
    for stack in (f"slimception-{name}-front", f"slimception-{name}"):
        try:
            stacks = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        except cloudformation.exceptions.ClientError:
            continue
        for output in (output for one in stacks for output in one.get("Outputs", [])):
            if output["OutputKey"] == "EndpointURL":
                return str(output["OutputValue"])
    raise NotDeployed("the API's address is not known here: give it with --url")
