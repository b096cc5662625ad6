"""Event source mappings: polls queues for functions through AWS's own API, as Lambda does.

Source: AWS Lambda developer guide, "Using Lambda with Amazon SQS".
"""

import logging
import threading
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from localaws.cloud.sqs_batch import failed_ids, lambda_event
from localaws.host.environment import CLIENT_KEYS

LOOK_EVERY_S = 0.25
"""How often the mappings are read, for new, changed and deleted ones."""
_RECEIVE_AT_MOST = 10
_LOG = logging.getLogger("localaws")


class EventSources:
    """Starts and stops pollers as mappings come and go. Only mappings of SQS queues are polled."""

    def __init__(self, endpoint_url: str, region: str, max_pollers: int) -> None:
        """`max_pollers` is how many batches of one queue run at once, if the mapping allows more."""
        session = boto3.session.Session(**CLIENT_KEYS, region_name=region)
        options = Config(read_timeout=960, retries={"total_max_attempts": 1}, max_pool_connections=4 * max_pollers)
        self._lambda = session.client("lambda", endpoint_url=endpoint_url, config=options)
        self._sqs = session.client("sqs", endpoint_url=endpoint_url, config=options)
        self._max_pollers = max_pollers
        self._stopping = threading.Event()
        self._pollers: dict[str, _QueuePollers] = {}
        self._thread = threading.Thread(target=self._watch, name="localaws-mappings", daemon=True)

    def start(self) -> None:
        """Begin to read the mappings."""
        self._thread.start()

    def stop(self) -> None:
        """Let all pollers end; messages that they hold become visible again in time."""
        self._stopping.set()
        for pollers in list(self._pollers.values()):
            pollers.stop()

    def join(self) -> None:
        """Wait until all pollers have ended."""
        if self._thread.is_alive():
            self._thread.join()
        for pollers in self._pollers.values():
            pollers.stop()
            pollers.join()
        self._lambda.close()
        self._sqs.close()

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            try:
                mappings = self._lambda.list_event_source_mappings()["EventSourceMappings"]
                self._adjust({_key(mapping): mapping for mapping in mappings if _is_polled(mapping)})
            except (BotoCoreError, ClientError) as error:
                if not self._stopping.is_set():
                    _LOG.warning("event source mappings cannot be listed: %s", error)

    def _adjust(self, wanted: dict[str, dict[str, Any]]) -> None:
        for key in set(self._pollers) - set(wanted):
            self._pollers.pop(key).stop()
        for key in set(wanted) - set(self._pollers):
            self._pollers[key] = _QueuePollers(self._lambda, self._sqs, wanted[key], self._max_pollers)


class _QueuePollers:
    """The threads of one mapping; each has at most one batch at work."""

    def __init__(self, lambda_client: Any, sqs: Any, mapping: dict[str, Any], max_pollers: int) -> None:
        self._lambda, self._sqs, self._mapping = lambda_client, sqs, mapping
        self._queue_url = sqs.get_queue_url(QueueName=mapping["EventSourceArn"].rpartition(":")[2])["QueueUrl"]
        self._stopping = threading.Event()
        count = min(mapping.get("ScalingConfig", {}).get("MaximumConcurrency", max_pollers), max_pollers)
        self._threads = [threading.Thread(target=self._poll, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _poll(self) -> None:
        while not self._stopping.is_set():
            try:
                messages = self._receive()
                if messages:
                    self._delete(messages, self._failed(messages))
            except (BotoCoreError, ClientError) as error:
                if not self._stopping.wait(1.0):
                    _LOG.warning("%s: %s", self._mapping["EventSourceArn"], error)

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

    def _failed(self, messages: list[dict[str, Any]]) -> set[str]:
        """The ids of the messages that stay in the queue."""
        region = self._mapping["EventSourceArn"].split(":")[3]
        event = lambda_event(messages, self._mapping["EventSourceArn"], region)
        answer = self._lambda.invoke(FunctionName=self._mapping["FunctionArn"], Payload=event)
        payload = answer["Payload"].read()
        all_ids = {message["MessageId"] for message in messages}
        if "FunctionError" in answer:
            return all_ids
        if "ReportBatchItemFailures" in self._mapping.get("FunctionResponseTypes", []):
            return failed_ids(payload, all_ids)
        return set()

    def _delete(self, messages: list[dict[str, Any]], failed: set[str]) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
            if message["MessageId"] not in failed
        ]
        for start in range(0, len(entries), _RECEIVE_AT_MOST):
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries[start : start + _RECEIVE_AT_MOST])


def _is_polled(mapping: dict[str, Any]) -> bool:
    return mapping["State"] == "Enabled" and ":sqs:" in mapping["EventSourceArn"]


def _key(mapping: dict[str, Any]) -> str:
    """Differs when the mapping was changed, so that new pollers take over."""
    parts = ("UUID", "LastModified", "BatchSize", "ScalingConfig", "FunctionResponseTypes")
    return " ".join(str(mapping.get(part)) for part in parts)
