"""boto3 clients of this machine's AWS, one for each service, closed in the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from localaws.cloud.local_aws import LocalAws


@contextmanager
def clients_of(cloud: LocalAws) -> Iterator[Callable[[str], Any]]:
    """A function that gives a service's client, made when it is first asked for."""
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = cloud.client(service)
        return made[service]

    try:
        yield client
    finally:
        for one in made.values():
            one.close()
