"""Listings of more than 16 chained invocations: allowed in both ways of deploying."""

import json

import boto3
from botocore.stub import Stubber

from layers.deploy.recursion import allow_recursion
from tests.support.paths import ROOT


def test_make_deploy_allows_it() -> None:
    client = boto3.client("lambda", region_name="eu-west-1", aws_access_key_id="k", aws_secret_access_key="s")
    with Stubber(client) as stub:
        wanted = {"FunctionName": "slimception-dev-lister", "RecursiveLoop": "Allow"}
        stub.add_response("put_function_recursion_config", {"RecursiveLoop": "Allow"}, wanted)
        [line] = allow_recursion(client, "slimception", "dev")
        stub.assert_no_pending_responses()
    client.close()
    assert line.startswith("slimception-dev-lister: ")
    assert "layers recursion --stage $(STAGE)" in (ROOT / "Makefile").read_text()


def test_the_template_allows_it_for_the_lister_alone() -> None:
    resources = json.loads((ROOT / ".chalice/resources.json").read_text())["Resources"]
    allowed = {name for name, one in resources.items() if one.get("Properties", {}).get("RecursiveLoop") == "Allow"}
    assert allowed == {"Lister"}
