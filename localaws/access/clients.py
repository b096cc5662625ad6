"""Clients with which services of this machine's AWS call others: with all rights, or with those of a role."""

import threading
from typing import Any

import boto3
from botocore.config import Config

from localaws.host.environment import CLIENT_KEYS, role_keys

_OPTIONS = Config(
    read_timeout=960, retries={"total_max_attempts": 1}, max_pool_connections=256, user_agent_appid="localaws"
)
"""They repeat nothing. The name keeps them apart from clients that take theirs from the environment."""


class Clients:
    """One client for each service and role: threads may share it, and making one takes longer than a call."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        self._kept: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.Lock()

    def get(self, region: str, service: str, role: str = "") -> Any:
        """A boto3 client of a service; without a role it has all rights."""
        key = region, service, role
        with self._lock:
            if key not in self._kept:
                session = boto3.session.Session(**(role_keys(role) if role else CLIENT_KEYS), region_name=region)
                self._kept[key] = session.client(service, endpoint_url=self._endpoint_url, config=_OPTIONS)
            return self._kept[key]

    def close(self) -> None:
        """Close every client."""
        for client in self._kept.values():
            client.close()
