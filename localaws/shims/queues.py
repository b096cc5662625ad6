"""Moto's queues, corrected for several pollers and for ten thousand messages.

Moto invokes a queue's functions inside SendMessage and knows no partial batch responses. `event_sources` does that
work instead, so a queue here forgets its functions. Several pollers cause two faults in moto. A delete builds a new
list while a send appends to the old one, and that message is lost. Two receivers may both move one message to the
dead-letter queue. And each call looks at every message several times: one ReceiveMessage takes 0.6 s at a thousand
messages.
"""

import time
from collections.abc import Iterator
from typing import Any
from unittest import mock
from urllib.parse import unquote

from flask import has_request_context, request
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Queue, SQSBackend

VISIBILITY_LOOK_S = 0.1
"""A message that becomes visible again wakes no receiver; this is how soon a waiting one sees it."""
_TRACE = "AWSTraceHeader"


def patches() -> Iterator[Any]:
    """What to enter while queues are polled."""
    yield mock.patch.object(Queue, "lambda_event_source_mappings", _no_functions, create=True)
    yield mock.patch.object(Queue, "messages", property(_visible))
    yield mock.patch.object(
        Queue, "approximate_number_of_messages", property(lambda queue: sum(1 for _ in list(_visible(queue))))
    )
    yield mock.patch.object(Queue, "approximate_number_of_messages_not_visible", property(_in_flight_count))
    yield mock.patch.object(Queue, "approximate_number_of_messages_delayed", property(_delayed_count))
    yield mock.patch.object(Queue, "delete_message", _delete)
    yield mock.patch.object(SQSBackend, "receive_message", _receiver(SQSBackend.receive_message))
    yield mock.patch.object(SQSBackend, "send_message", _traced(SQSBackend.send_message))


_no_functions = property(lambda queue: {}, lambda queue, value: None)  # noqa: ARG005


def _traced(send_message: Any) -> Any:
    """A message carries the trace header of the call that sent it: SQS developer guide, "AWSTraceHeader"."""

    def send(backend: Any, *args: Any, system_attributes: dict[str, Any] | None = None, **options: Any) -> Any:
        trace = unquote(request.headers.get("X-Amzn-Trace-Id", "")) if has_request_context() else ""
        if trace and _TRACE not in (system_attributes or {}):
            attribute = {"StringValue": trace, "DataType": "String"}
            system_attributes = {**(system_attributes or {}), _TRACE: attribute}
        return send_message(backend, *args, system_attributes=system_attributes, **options)

    return send


def _receiver(receive_message: Any) -> Any:
    def receive(backend: Any, queue_name: str, count: int, wait_s: int | None, *args: Any, **options: Any) -> Any:
        changed, deadline = backend.get_queue(queue_name)._messages_lock, time.monotonic() + (wait_s or 0)
        with changed:
            while True:
                messages = receive_message(backend, queue_name, count, 0, *args, **options)
                remaining_s = deadline - time.monotonic()
                if messages or remaining_s <= 0:
                    return messages
                changed.wait(min(remaining_s, VISIBILITY_LOOK_S))

    return receive


def _delete(queue: Any, receipt_handle: str) -> None:
    """Delete a message; those in flight are near the front, so that the search is short."""
    with queue._messages_lock:
        if receipt_handle in queue.deleted_messages:
            return
        for position, message in enumerate(queue._messages):
            if message.had_receipt_handle(receipt_handle):
                queue.pending_messages.discard(message)
                queue.deleted_messages.update(message.all_receipt_handles)
                del queue._messages[position]
                return
        raise ReceiptHandleIsInvalid


def _visible(queue: Any) -> Iterator[Any]:
    """The visible messages, one after the other, since a receiver stops at its tenth."""
    now_ms = time.time() * 1000
    return (message for message in queue._messages if message.visible_at < now_ms and message.delayed_until <= now_ms)


def _in_flight_count(queue: Any) -> int:
    now_ms = time.time() * 1000
    return sum(message.visible_at >= now_ms for message in list(queue._messages))


def _delayed_count(queue: Any) -> int:
    now_ms = time.time() * 1000
    return sum(message.delayed_until > now_ms for message in list(queue._messages))
