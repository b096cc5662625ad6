"""Records of a stream as a function gets them, and what it returns about them.

Source: AWS Lambda developer guide, the example events of "Using Lambda with Amazon Kinesis Data Streams" and of "Using
AWS Lambda with Amazon DynamoDB".
"""

import base64
import json
from datetime import datetime
from typing import Any, NamedTuple


class StreamRecord(NamedTuple):
    """One record, in Lambda's form."""

    number: str
    """The sequence number."""
    arrived: float
    """Seconds since the epoch."""
    content: dict[str, Any]


def kinesis_record(record: dict[str, Any], arn: str) -> StreamRecord:
    """Of boto3's GetRecords."""
    number, arrived = record["SequenceNumber"], record["ApproximateArrivalTimestamp"].timestamp()
    kinesis = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": record["PartitionKey"],
        "sequenceNumber": number,
        "data": base64.b64encode(record["Data"]).decode(),
        "approximateArrivalTimestamp": arrived,
    }
    content = {"kinesis": kinesis, "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": number}
    more = {"eventName": "aws:kinesis:record", "awsRegion": arn.split(":")[3], "eventSourceARN": arn}
    return StreamRecord(number, arrived, {**content, **more})


def table_record(record: dict[str, Any], arn: str) -> StreamRecord:
    """Of boto3's GetRecords of a table's stream."""
    change = record["dynamodb"]
    arrived = change["ApproximateCreationDateTime"].timestamp()
    content = {**record, "eventSourceARN": arn, "dynamodb": {**change, "ApproximateCreationDateTime": arrived}}
    return StreamRecord(change["SequenceNumber"], arrived, content)


def stream_event(records: list[StreamRecord], shard: str) -> str:
    """The event, in JSON. The id of a record of Kinesis begins with its shard."""
    contents = [record.content for record in records]
    named = [
        {**one, "eventID": f"{shard}:{one['eventID']}"} if one["eventSource"] == "aws:kinesis" else one
        for one in contents
    ]
    return json.dumps({"Records": named}, default=_text)


def failed_from(payload: bytes, numbers: list[str]) -> int:
    """The place of the first failed record of a partial batch response; the number of records if none failed.

    Null, an empty object and an empty list are success. A response in another form, or one that names a record that
    is not of the batch, fails the whole batch.
    """
    try:
        failures = (json.loads(payload or b"null") or {}).get("batchItemFailures") or []
        return min((numbers.index(failure["itemIdentifier"]) for failure in failures), default=len(numbers))
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return base64.b64encode(bytes(value)).decode()  # an attribute of bytes
