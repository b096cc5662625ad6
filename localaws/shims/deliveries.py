"""S3, SNS and EventBridge that call functions, with the events that AWS sends, if the function's policy lets them.

Moto 5.2.5 asks no policy, sends one time and one id in every message of SNS, writes S3's events on a bus as no client
reads them, and its EventBridge calls no function. Sources: AWS Lambda developer guide, "Using Lambda with Amazon SNS"
and "Using resource-based policies"; Amazon S3 user guide, "EventBridge event message structure".
"""

import copy
import json
import logging
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from unittest import mock

from moto.awslambda.utils import get_backend
from moto.events.models import Rule
from moto.s3 import notifications
from moto.sns.models import Subscription

_LOG = logging.getLogger("localaws")


def patches() -> Iterator[Any]:
    """What to enter while events are sent."""
    yield mock.patch.object(notifications, "_invoke_awslambda", _notify)
    yield mock.patch.object(Subscription, "publish", _publisher(Subscription.publish))
    yield mock.patch.object(Rule, "send_to_targets", _sender(Rule.send_to_targets))


def call(function_arn: str, event: Mapping[str, Any], principal: str, source_arn: str) -> None:
    """Call a function asynchronously in the name of a service; a call that no policy allows is only logged."""
    region, account_id = function_arn.split(":")[3:5]
    try:
        model = get_backend(account_id, region).get_function(function_arn)
    except Exception as error:
        _LOG.warning("%s has no function %s: %s", source_arn, function_arn, error)
        return
    if any(_allows(one, principal, source_arn, account_id) for one in model.policy.statements):
        model.invoke(json.dumps(event), {}, {})
    else:
        _LOG.warning("the policy of %s does not let %s call it for %s", function_arn, principal, source_arn)


def send(rule: Any, event: dict[str, Any]) -> None:
    """Send an event to those targets of a rule that are functions; Input and InputTransformer take its place."""
    for target in rule.targets:
        if ":lambda:" in target["Arn"]:
            call(target["Arn"], _input(target, event), "events.amazonaws.com", rule.arn)


def _allows(statement: Mapping[str, Any], principal: str, source_arn: str, account_id: str) -> bool:
    condition = statement.get("Condition", {})
    wanted = condition.get("ArnLike", {}).get("AWS:SourceArn", "*")
    account = condition.get("StringEquals", {}).get("AWS:SourceAccount", account_id)
    is_for = statement.get("Principal") == {"Service": principal}
    return is_for and fnmatchcase(source_arn, wanted) and account == account_id


def _notify(account_id: str, event_body: Any, fn_arn: str, region_name: str) -> None:  # noqa: ARG001
    record = event_body["Records"][0]
    record["s3"]["object"]["sequencer"] = uuid.uuid4().hex[:16].upper()
    call(fn_arn, event_body, "s3.amazonaws.com", record["s3"]["bucket"]["arn"])


def _publisher(publish: Any) -> Any:
    def run(subscription: Any, message: str, message_id: str, subject: Any = None, *args: Any, **options: Any) -> Any:
        if subscription.protocol != "lambda":
            return publish(subscription, message, message_id, subject, *args, **options)
        matcher = subscription._filter_policy_matcher
        if matcher is None or matcher.matches(options.get("message_attributes"), message):
            content = {
                "Type": "Notification",
                "MessageId": message_id,
                "TopicArn": subscription.topic.arn,
                "Subject": subject,
                "Message": message,
                "Timestamp": _now(),
                "MessageAttributes": options.get("message_attributes") or {},
            }
            envelope = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription.arn}
            event = {"Records": [{**envelope, "Sns": content}]}
            call(subscription.endpoint, event, "sns.amazonaws.com", subscription.topic.arn)
        return None

    return run


def _sender(send_to_targets: Any) -> Any:
    def run(rule: Any, original_event: Any, transform_input: bool = True) -> None:
        """A rule without a pattern is a schedule, to which moto gives every event."""
        if rule.state != "ENABLED" or not rule.event_pattern.get_pattern():
            return
        event = _as_sent(original_event)
        if rule.event_pattern.matches_event(event):
            send(rule, event)
            others = copy.copy(rule)
            others.targets = [target for target in rule.targets if ":lambda:" not in target["Arn"]]
            send_to_targets(others, original_event, transform_input)

    return run


def _as_sent(event: Mapping[str, Any]) -> dict[str, Any]:
    """With a time in ISO 8601, and an ETag where S3 has it."""
    known = {name: value for name, value in event.items() if name != "ingestion-time"}
    sent = {**known, "time": _now()}
    if event["source"] == "aws.s3":
        found = event["detail"]["object"]
        etag = {"etag": found["eTag"]} if "eTag" in found else {}
        rest = {name: value for name, value in found.items() if name != "eTag"}
        sent |= {"id": str(uuid.uuid4()), "detail": {**event["detail"], "object": {**rest, **etag}}}
    return sent


def _input(target: Mapping[str, Any], event: dict[str, Any]) -> Any:
    """What the target gets. A value in a template is a JSON text where it stands without quotation marks."""
    if "Input" in target:
        return json.loads(target["Input"])
    transformer = target.get("InputTransformer")
    if not transformer:
        return event
    text = str(transformer["InputTemplate"])
    for name, path in transformer.get("InputPathsMap", {}).items():
        value: Any = event
        for part in path.removeprefix("$.").split("."):
            value = value.get(part) if isinstance(value, dict) else None
        text = text.replace(f"<{name}>", json.dumps(value))
    return json.loads(text)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
