"""The pollers of one event source mapping: receive, invoke, delete what succeeded.

Source: AWS Lambda developer guide, "Using Lambda with Amazon SQS", "Configuring scaling behavior for SQS event source
mappings" and "Handling errors for an SQS event source in Lambda" (backoff of throttled invocations).
"""

import json
import logging
import threading
import time
from contextvars import ContextVar
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws.cloud.sqs_batch import failed_ids, lambda_event, longest_trace

STARTING = 5
"""Batches that Lambda's pollers take at once to begin with, if the mapping has no MaximumConcurrency."""
_MOST = 50
_RECEIVE_AT_MOST = 10
_AGAIN_S = 0.2
"""Between two tries of a throttled invocation."""
_LOG = logging.getLogger("localaws")
_THROTTLED, _LOOP = "TooManyRequestsException", "RecursiveInvocationException"


_trace = ContextVar("trace", default="")
"""Of the invocation that this thread makes next: botocore has no parameter for it."""


def add_trace(params: dict[str, Any], **_: Any) -> None:
    """A handler of botocore's event `before-call.lambda.Invoke`."""
    if _trace.get():
        params["headers"]["X-Amzn-Trace-Id"] = _trace.get()


class QueuePollers:
    """The threads of one mapping; each has at most one batch at work.

    As on AWS, they take messages whether or not the function can run. A throttled batch is tried again until its
    messages become visible, each time with one receive more. At most `max_instances` batches run at once here: a limit
    of this machine, for which no message is taken.
    """

    def __init__(self, owner: Any, owner_sqs: Any, sqs: Any, mapping: dict[str, Any], max_instances: int) -> None:
        """`owner` and `owner_sqs` are Lambda and SQS with all rights; `sqs` has those of the function's role.

        `owner` calls `add_trace`.
        """
        self._lambda, self._owner_sqs, self._sqs, self._mapping = owner, owner_sqs, sqs, mapping
        name = mapping["EventSourceArn"].rpartition(":")[2]
        self._queue_url = owner_sqs.get_queue_url(QueueName=name)["QueueUrl"]
        self._visible_after_s()  # Lambda reads the queue's attributes before it takes the first message
        self._stopping = threading.Event()
        self._room = threading.BoundedSemaphore(max_instances)
        count = mapping.get("ScalingConfig", {}).get("MaximumConcurrency", max(STARTING, max_instances))
        self._threads = [threading.Thread(target=self._poll, daemon=True) for _ in range(min(count, _MOST))]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let the threads end after what they do now."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for their end."""
        for thread in self._threads:
            thread.join()

    def _poll(self) -> None:
        while not self._stopping.is_set():
            try:
                self._work()
            except (BotoCoreError, ClientError) as error:
                if not self._stopping.wait(1.0):
                    _LOG.warning("%s: %s", self._mapping["EventSourceArn"], error)

    def _work(self) -> None:
        failed: set[str] | None = None
        with self._room:
            messages = self._receive()
            received = time.monotonic()
            if messages:
                failed = self._failed(messages)
        while messages and failed is None and not self._stopping.wait(_AGAIN_S):
            with self._room:
                if time.monotonic() + _AGAIN_S >= received + self._visible_after_s():
                    return
                failed = self._failed(messages)
        if messages and failed is not None:
            self._delete(messages, failed)

    def _visible_after_s(self) -> float:
        name = "VisibilityTimeout"
        answer = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=[name])
        return float(answer["Attributes"][name])

    def _receive(self) -> list[dict[str, Any]]:
        """Up to BatchSize messages: as many as come without a pause, or within the batching window."""
        wait_s = self._mapping.get("MaximumBatchingWindowInSeconds", 0)
        messages: list[dict[str, Any]] = []
        while len(messages) < self._mapping["BatchSize"] and not self._stopping.is_set():
            received = self._sqs.receive_message(
                QueueUrl=self._queue_url,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
                MaxNumberOfMessages=min(_RECEIVE_AT_MOST, self._mapping["BatchSize"] - len(messages)),
                WaitTimeSeconds=min(wait_s, 20) if messages else 1,
            ).get("Messages", [])
            messages += received
            if not received:
                break
        return messages

    def _failed(self, messages: list[dict[str, Any]]) -> set[str] | None:
        """The ids of the messages that stay in the queue; None if the function was throttled."""
        region = self._mapping["EventSourceArn"].split(":")[3]
        event = lambda_event(messages, self._mapping["EventSourceArn"], region)
        try:
            _trace.set(longest_trace(messages, self._mapping["FunctionArn"]))
            answer = self._lambda.invoke(FunctionName=self._mapping["FunctionArn"], Payload=event)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == _LOOP:
                return self._give_up(messages)
            if code == _THROTTLED:
                return None
            raise
        payload = answer["Payload"].read()
        all_ids = {message["MessageId"] for message in messages}
        if "FunctionError" in answer:
            return all_ids
        if "ReportBatchItemFailures" in self._mapping.get("FunctionResponseTypes", []):
            return failed_ids(payload, all_ids)
        return set()

    def _give_up(self, messages: list[dict[str, Any]]) -> set[str]:
        """Messages of a chain that is too long go to the dead-letter queue, if there is one; none stays."""
        attributes = self._owner_sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["RedrivePolicy"])
        redrive = json.loads(attributes.get("Attributes", {}).get("RedrivePolicy", "{}"))
        _LOG.warning("%s: %d messages of a recursive loop", self._mapping["EventSourceArn"], len(messages))
        if redrive:
            name = redrive["deadLetterTargetArn"].rpartition(":")[2]
            url = self._owner_sqs.get_queue_url(QueueName=name)["QueueUrl"]
            for message in messages:
                self._owner_sqs.send_message(QueueUrl=url, MessageBody=message["Body"])
        return set()

    def _delete(self, messages: list[dict[str, Any]], failed: set[str]) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
            if message["MessageId"] not in failed
        ]
        for start in range(0, len(entries), _RECEIVE_AT_MOST):
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries[start : start + _RECEIVE_AT_MOST])
