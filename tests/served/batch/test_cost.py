"""What a batch costs: the constants are those of what is deployed."""

import json

import pytest
from chalice.config import Config

from chalicelib.batch import cost
from tests.support.paths import ROOT


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_memory_is_that_of_the_deployed_worker(stage):
    written = json.loads((ROOT / ".chalice" / "config.json").read_text())
    config = Config(chalice_stage=stage, function_name="worker", config_from_disk=written)
    assert config.lambda_memory_size == cost.MEMORY_MB


def test_an_invocation_has_as_many_pictures_as_the_handler_takes():
    resources = json.loads((ROOT / ".chalice" / "resources.json").read_text())["Resources"]
    mappings = [one["Properties"] for one in resources.values() if one.get("Type") == "AWS::Lambda::EventSourceMapping"]
    (mapping,) = [one for one in mappings if "Pictures" in str(one["EventSourceArn"])]
    assert "Worker" in str(mapping["FunctionName"]) and mapping["BatchSize"] == cost.PICTURES_AT_ONCE


def test_a_million_pictures():
    """By hand: 10 ms of 1,769 MB each; 200,000 invocations; SQS sends ten and receives and deletes five at once."""
    found = cost.estimate(1_000_000, 10_000_000)
    assert found == pytest.approx(
        {
            "lambda_usd": 10_000 * 1769 / 1024 * 0.0000166667 + 0.04,
            "sqs_usd": (100_000 + 400_000) * 0.40 / 1e6,
            "s3_usd": 0.4,
            "dynamodb_usd": 2 * 1_200_000 * 0.625 / 1e6,
            "total_usd": 0.287925 + 0.04 + 0.2 + 0.4 + 1.5,
        },
        abs=2e-5,
    )
