"""The whole local AWS: the endpoint, the Lambda host behind it, the pollers of its queues."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, Self

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from werkzeug.wrappers import Response

from localaws.access.guard import Guard, Record
from localaws.cloud import account
from localaws.cloud.endpoint import Endpoint
from localaws.cloud.event_sources import EventSources
from localaws.cloud.fronts import Fronts
from localaws.cloud.rest_api import RestApis
from localaws.cloud.schedules import Schedules
from localaws.errors import PortInUse
from localaws.host.environment import CLIENT_KEYS, CREDENTIALS
from localaws.host.lambda_host import LambdaHost
from localaws.shims import apis
from localaws.shims.limits import Limits

REGION = "us-east-1"


class LocalAws:
    """AWS on one machine; a context manager that leaves no process, no thread and no state behind.

    Moto keeps its state per process, so that a process can have one at a time.
    """

    def __init__(
        self,
        port: int = 0,
        region: str = REGION,
        host: LambdaHost | None = None,
        record: Record | None = None,
        faults: set[str] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
    ) -> None:
        """`port` 0 takes a free one; raises PortInUse. A `host` that the caller gives is closed, too.

        `record` keeps the rights that roles need, `faults` what is wrong with moto's answers. `limits` are AWS's by
        default.
        """
        self.region, self._limits = region, limits
        self.host = host or LambdaHost()
        self._guard = Guard(
            DEFAULT_ACCOUNT_ID, partial(account.policies_of, DEFAULT_ACCOUNT_ID), account.bucket_owner, record
        )
        try:
            self._endpoint = Endpoint(port, region, self._guard, faults)
        except PortInUse:
            self.host.close()
            raise
        self.url = self._endpoint.url
        """For AWS_ENDPOINT_URL."""
        self._close = ExitStack()
        self._close.callback(self._endpoint.close)
        self._close.callback(self.host.close)

    def __enter__(self) -> Self:
        """Serve."""
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self) -> Self:
        """Serve, from an empty account."""
        sources = EventSources(self.url, self.region, self.host.max_instances)
        schedules = Schedules(DEFAULT_ACCOUNT_ID, self.region, self._limits.minute_s)
        self._close.enter_context(apis.applied(self.host, self.url, self.region, self._guard, self._limits))
        self._endpoint.start()
        sources.start()
        schedules.start()
        # closed from the last to the first: the pollers stop taking messages; the functions end, so that the
        # pollers can end; then the server, which both use
        for close in (self._endpoint.close, sources.join, self.host.close, sources.stop, schedules.stop):
            self._close.callback(close)
        return self

    def close(self) -> None:
        """End every process and thread. Does nothing the second time."""
        self._close.close()

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of one of the services."""
        return boto3.client(service, region_name=self.region, endpoint_url=self.url, **CLIENT_KEYS, **options)

    def environment(self) -> dict[str, str]:
        """Variables with which the AWS command line, Chalice and every SDK use this machine's AWS."""
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }

    def refuse(self, rule: Callable[[Mapping[str, Any]], Response | None]) -> None:
        """Call `rule` before every call of a service, with the call's WSGI environment.

        The service gives the rule's response; None lets the call pass.
        """
        self._endpoint.refuse = rule

    def api_url(self, api_id: str, stage: str) -> str:
        """Where a deployed REST API is served, with a slash at the end."""
        return RestApis.url(self.url, api_id, stage)

    def front_url(self, address: str) -> str:
        """Where the HTTP API or function URL that AWS would serve at `address` is served, with a slash at the end."""
        return Fronts.url(self.url, address)
