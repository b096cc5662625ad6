"""What a stage's settings are: the mapping, the queues, the lister's recursion, the schedule of the days, the logs."""

import json
import time
from typing import Any

from benchmarks.prove.stage import Stage

EVENT_BYTES = 26
"""CloudWatch adds these to each event (Amazon CloudWatch Logs API reference, "PutLogEvents")."""
LOGS_LIMIT_S = 60.0
"""How long lines may take to appear."""


def mapping(stage: Stage) -> dict[str, Any]:
    """The worker's event source mapping, and the redrive policy of its queue."""
    found = stage.client("lambda").list_event_source_mappings(EventSourceArn=stage.queue_arn("pictures"))
    shown = [
        {name: one.get(name) for name in ("State", "FunctionResponseTypes", "ScalingConfig", "BatchSize")}
        for one in found["EventSourceMappings"]
    ]
    sqs = stage.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{stage.prefix}-pictures")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    policy = json.loads(attributes.get("RedrivePolicy", "{}"))
    right = [one for one in shown if one["State"] == "Enabled" and "ReportBatchItemFailures" in _types(one)]
    return {"mappings": shown, "receives": policy.get("maxReceiveCount"), "holds": len(right) == len(shown) == 1}


def recursion(stage: Stage) -> dict[str, Any]:
    """Whether the lister may send itself messages without end."""
    found = stage.client("lambda").get_function_recursion_config(FunctionName=stage.functions["lister"])
    return {"RecursiveLoop": found["RecursiveLoop"], "holds": found["RecursiveLoop"] == "Allow"}


def schedule(stage: Stage) -> dict[str, Any]:
    """The rule that asks for the files of the days."""
    found = stage.client("events").describe_rule(Name=f"{stage.prefix}-days")
    shown = {name: found.get(name) for name in ("State", "ScheduleExpression")}
    return {**shown, "holds": shown["State"] == "ENABLED"}


def logs(stage: Stage, since: float, requests: int) -> dict[str, Any]:
    """Bytes of the API's log for each request since `since` (seconds since the epoch), as CloudWatch charges them."""
    group, client = stage.log_group("api"), stage.client("logs")
    deadline = time.monotonic() + LOGS_LIMIT_S
    while True:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=int(since * 1000))
        messages = [event["message"] for page in pages for event in page["events"]]
        lines = sum('"event": "request"' in text or '"event":"request"' in text for text in messages)
        if lines >= requests or time.monotonic() > deadline:
            break
        time.sleep(5)
    charged = sum(len(text.encode()) + EVENT_BYTES for text in messages)
    return {
        "requests": lines,
        "events": len(messages),
        "bytes_a_request": round(charged / lines) if lines else None,
        "usd_a_million_at_0.50_a_GB": round(charged / lines * 1e6 / 1e9 * 0.50, 3) if lines else None,
        "holds": lines >= requests,
    }


def _types(one: dict[str, Any]) -> list[str]:
    return one["FunctionResponseTypes"] or []
