"""Where an asynchronous event goes when every try has failed: the OnFailure destination, of which moto knows nothing.

Source: AWS Lambda developer guide, "Capturing records of Lambda asynchronous invocations".
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from moto.sqs.models import sqs_backends

from localaws.access.guard import Guard
from localaws.host.invocation import Result

_LOG = logging.getLogger("localaws")


def keep_failed(model: Any, payload: bytes, result: Result, tries: int, guard: Guard) -> None:
    """Send the record of a failed event to the function's queue for those, with the rights of the function's role."""
    config = model.event_invoke_config[-1].response() if model.event_invoke_config else {}
    arn = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
    if ":sqs:" not in arn:
        return
    if not guard.may(model.role.rpartition("/")[2], "sqs:SendMessage", arn, model.region):
        _LOG.warning("%s may not send what failed to %s", model.function_name, arn)
        return
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(),
        "requestContext": {
            "requestId": result.request_id,
            "functionArn": f"{model.function_arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": tries,
        },
        "requestPayload": json.loads(payload),
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": result.function_error},
        "responsePayload": result.json(),
    }
    sqs_backends[model.account_id][model.region].send_message(arn.rpartition(":")[2], json.dumps(record))
