"""SQS: sends, receives, deletes messages. The boto3 client is passed in; errors are those of `clients.translated`."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chalicelib.aws.clients import translated
from chalicelib.errors import StorageError

SEND_AT_ONCE = 10
"""Messages in one request, SQS's limit."""
SENDERS = 8
DEFAULT_RECEIVES = 5


class Queue:
    """The queue called `name`."""

    def __init__(self, sqs: Any, name: str) -> None:
        self._sqs, self.name = sqs, name
        self._known_url: str | None = None
        self._known_max_receives: int | None = None

    def send(self, bodies: Sequence[str]) -> None:
        """Send every message, ten in a request and several requests at once; raises StorageError if SQS refuses any.

        The messages that SQS did not refuse are sent even then.
        """
        tens = [bodies[start : start + SEND_AT_ONCE] for start in range(0, len(bodies), SEND_AT_ONCE)]
        with translated(f"queue {self.name}"):
            self._url()
            if len(tens) < 2:
                refused = [self._send(ten) for ten in tens]
            else:
                with ThreadPoolExecutor(SENDERS) as senders:
                    refused = list(senders.map(self._send, tens))
        if any(refused):
            raise StorageError(f"queue {self.name} refused {sum(refused)} of {len(bodies)} messages: send them again")

    def receive(self, visibility_s: int) -> list[dict[str, Any]]:
        """Up to ten messages, hidden from other receivers for `visibility_s`, each as boto3 returns it.

        A dead letter's `Attributes` may hold DeadLetterQueueSourceArn, the queue that it came from.
        """
        with translated(f"queue {self.name}"):
            answer = self._sqs.receive_message(
                QueueUrl=self._url(),
                MaxNumberOfMessages=10,
                VisibilityTimeout=visibility_s,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["DeadLetterQueueSourceArn"],
            )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def length(self) -> int:
        """The approximate number of waiting messages."""
        return int(self._attribute("ApproximateNumberOfMessages") or 0)

    def outstanding(self) -> int:
        """The approximate number of messages that wait, are being worked on, or will be visible later."""
        names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
        with translated(f"queue {self.name}"):
            answer = self._sqs.get_queue_attributes(QueueUrl=self._url(), AttributeNames=names)
        return sum(int(answer.get("Attributes", {}).get(name, 0)) for name in names)

    def max_receives(self) -> int:
        """How often a message is delivered before it becomes a dead letter: the queue's `maxReceiveCount`.

        A queue without dead letters gives DEFAULT_RECEIVES. It is read once, and raises as `clients.translated`.
        """
        if self._known_max_receives is None:
            policy = json.loads(self._attribute("RedrivePolicy") or "{}")
            self._known_max_receives = int(policy.get("maxReceiveCount", DEFAULT_RECEIVES))
        return self._known_max_receives

    def delete(self, receipt: str) -> None:
        """Delete a received message by its receipt handle."""
        with translated(f"queue {self.name}"):
            self._sqs.delete_message(QueueUrl=self._url(), ReceiptHandle=receipt)

    def _attribute(self, name: str) -> str | None:
        with translated(f"queue {self.name}"):
            answer = self._sqs.get_queue_attributes(QueueUrl=self._url(), AttributeNames=[name])
        value: str | None = answer.get("Attributes", {}).get(name)
        return value

    def _send(self, bodies: Sequence[str]) -> int:
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        for _ in range(3):
            answer = self._sqs.send_message_batch(QueueUrl=self._url(), Entries=entries)
            again = {failure["Id"] for failure in answer.get("Failed", [])}
            entries = [entry for entry in entries if entry["Id"] in again]
            if not entries:
                break
        return len(entries)

    def _url(self) -> str:
        if self._known_url is None:
            self._known_url = self._sqs.get_queue_url(QueueName=self.name)["QueueUrl"]
        return self._known_url
