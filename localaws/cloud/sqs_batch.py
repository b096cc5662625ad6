"""SQS messages as a function gets them, and what it returns about each."""

import json
from typing import Any

from localaws.host import lineage


def lambda_event(messages: list[dict[str, Any]], queue_arn: str, region: str) -> str:
    """Received messages as Lambda's SQS event, in JSON."""
    return json.dumps({"Records": [_record(message, queue_arn, region) for message in messages]})


def failed_ids(payload: bytes, all_ids: set[str]) -> set[str]:
    """The failed messages of a partial batch response.

    Null, an empty object and an empty list are success. A response in another form, or one that names another
    message, fails all of them (AWS Lambda developer guide, "Handling errors for an SQS
    event source in Lambda").
    """
    try:
        answer = json.loads(payload or b"null")
        failures = (answer or {}).get("batchItemFailures") or []
        failed = {failure["itemIdentifier"] for failure in failures}
    except (ValueError, KeyError, TypeError, AttributeError):
        return all_ids
    return failed if failed <= all_ids else all_ids


def longest_trace(messages: list[dict[str, Any]], function_arn: str) -> str:
    """The trace header of the message whose chain has run the function most often; empty if none has one."""
    traces: list[str] = [message.get("Attributes", {}).get("AWSTraceHeader", "") for message in messages]
    return max(traces, key=lambda trace: lineage.count(trace, function_arn))


def _record(message: dict[str, Any], queue_arn: str, region: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {
                "dataType": value["DataType"],
                "stringValue": value.get("StringValue"),
                "stringListValues": [],
                "binaryListValues": [],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }
