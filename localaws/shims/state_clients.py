"""The clients with which moto's state machines call other services."""

import threading
from typing import Any

import boto3
from botocore.config import Config

from localaws.host.environment import CLIENT_KEYS, role_keys

_ONCE = Config(read_timeout=960, retries={"total_max_attempts": 1}, max_pool_connections=256)


class Clients:
    """One client for each service: threads may share it, and making one takes longer than a call."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        self._kept: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.Lock()

    def get(self, region: str, service: str, state_credentials: Any = None) -> Any:
        """A client with the state machine's role that repeats nothing: that is the task of the definition's Retry."""
        role = state_credentials.role_arn.rpartition("/")[2] if state_credentials else ""
        with self._lock:
            key = region, service, role
            if key not in self._kept:
                keys = role_keys(role) if role else CLIENT_KEYS
                self._kept[key] = boto3.client(service, region, endpoint_url=self._endpoint_url, config=_ONCE, **keys)
            return self._kept[key]

    def close(self) -> None:
        """Close every client."""
        for client in self._kept.values():
            client.close()
