"""Event source mappings: polls queues and streams for functions through AWS's own API, as Lambda does.

Source: AWS Lambda developer guide, "How Lambda processes records from stream and queue-based event sources".
"""

import logging
import threading
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws.access.clients import Clients
from localaws.cloud.pollers import QueuePollers, add_trace
from localaws.cloud.stream_pollers import StreamPollers

LOOK_EVERY_S = 0.25
"""How often the mappings are read, for new, changed and deleted ones."""
_LOG = logging.getLogger("localaws")


class EventSources:
    """Starts and stops pollers as mappings come and go."""

    def __init__(self, endpoint_url: str, region: str, max_instances: int) -> None:
        """`max_instances` is how many batches of one queue run at once on this machine, whatever AWS would do."""
        self._region, self._max_instances = region, max_instances
        self._clients = Clients(endpoint_url)
        self._lambda = self._clients.get(region, "lambda")
        self._lambda.meta.events.register("before-call.lambda.Invoke", add_trace)
        self._stopping = threading.Event()
        self._pollers: dict[str, QueuePollers | StreamPollers] = {}
        self._checkpoints: dict[str, dict[str, str]] = {}
        """By mapping and shard: the sequence number after which a changed mapping goes on."""
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
        self._clients.close()

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            try:
                mappings = self._lambda.list_event_source_mappings()["EventSourceMappings"]
                self._adjust(mappings)
            except (BotoCoreError, ClientError) as error:
                if not self._stopping.is_set():
                    _LOG.warning("event source mappings cannot be polled: %s", error)

    def _adjust(self, mappings: list[dict[str, Any]]) -> None:
        wanted = {_key(mapping): mapping for mapping in mappings if mapping["State"] == "Enabled"}
        updating = {mapping["UUID"] for mapping in mappings if mapping["State"] == "Updating"}
        for key in set(self._pollers) - set(wanted):
            if key.partition(" ")[0] not in updating:  # until then, it works as before
                self._pollers.pop(key).stop()
        for key in set(wanted) - set(self._pollers):
            role = self._role(wanted[key]["FunctionArn"])
            if role is not None:
                self._pollers[key] = self._start(wanted[key], role)

    def _start(self, mapping: dict[str, Any], role: str) -> QueuePollers | StreamPollers:
        sqs, service = self._clients.get(self._region, "sqs", role), mapping["EventSourceArn"].split(":")[2]
        if service == "sqs":
            return QueuePollers(self._lambda, self._clients.get(self._region, "sqs"), sqs, mapping, self._max_instances)
        reader = self._clients.get(self._region, {"dynamodb": "dynamodbstreams"}.get(service, service), role)
        checkpoints = self._checkpoints.setdefault(mapping["UUID"], {})
        return StreamPollers(self._lambda, reader, sqs, mapping, checkpoints)

    def _role(self, function_arn: str) -> str | None:
        """The function's role, with whose rights its queue is polled; None if the function has been deleted."""
        try:
            found = self._lambda.get_function_configuration(FunctionName=function_arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return str(found["Role"]).rpartition("/")[2]


def _key(mapping: dict[str, Any]) -> str:
    """Begins with the mapping's id; differs when the mapping was changed, so that new pollers take over."""
    parts = ("UUID", "LastModified", "BatchSize", "ScalingConfig", "FunctionResponseTypes")
    return " ".join(str(mapping.get(part)) for part in parts)
