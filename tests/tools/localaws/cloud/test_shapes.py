"""Answers are held against the shapes of AWS's own service models."""

import json
from typing import Any

import pytest

pytest.importorskip("werkzeug", reason="moto is not installed")

from werkzeug.wrappers import Response

from localaws.cloud.shapes import faults

MAPPING = {"UUID": "1", "State": "Enabled", "BatchSize": 5}


def environ(service: str, method: str = "POST", path: str = "/", target: str = "", query: str = "") -> dict[str, Any]:
    signature = f"AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host"
    return {
        "HTTP_AUTHORIZATION": signature,
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_X_AMZ_TARGET": target,
    }


def found(call: dict[str, Any], answer: Any) -> list[str]:
    return list(faults(call, Response(json.dumps(answer))))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"EventSourceMappings": [MAPPING]}, []),
        ({"EventSourceMappings": [{**MAPPING, "Colour": 1}]}, [".EventSourceMappings[].Colour is unknown"]),
        ({"EventSourceMappings": [{"BatchSize": "5"}]}, [".EventSourceMappings[].BatchSize is str, and not integer"]),
        ({"EventSourceMappings": [{"BatchSize": True}]}, [".EventSourceMappings[].BatchSize is bool, and not integer"]),
        ([], ["the answer is list, and not structure"]),
    ],
)
def test_an_answer_of_a_rest_service(answer, said):
    call = environ("lambda", "GET", "/2015-03-31/event-source-mappings/")
    assert found(call, answer) == [f"lambda ListEventSourceMappings: {text}" for text in said]


def test_a_member_that_is_always_there():
    call = environ("sqs", target="AmazonSQS.DeleteMessageBatch")
    assert found(call, {"Failed": []}) == ["sqs DeleteMessageBatch: .Successful is missing"]


@pytest.mark.parametrize(("query", "name"), [("", "Layers"), ("find=LayerVersion&Arn=a", "LayerArn")])
def test_operations_of_one_path_are_told_apart_by_their_query(query, name):
    call = environ("lambda", "GET", "/2018-10-31/layers", query=query)
    assert found(call, {name: [] if name == "Layers" else "arn"}) == []
    assert found(call, {"Colour": 1})[0].endswith(".Colour is unknown")


def test_other_services_are_not_checked():
    assert found(environ("s3", "GET", "/bucket"), {"Colour": 1}) == []
    assert list(faults({}, Response("no JSON"))) == []
