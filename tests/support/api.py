"""A deployed API on the local AWS, called as its owner, for routes that IAM guards."""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

LIMIT_S = 400
"""When a test gives up: far more than a busy machine needs."""
OWNER = Credentials("localaws", "localaws")


def ask(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """POST if there is a body, otherwise GET; signed. Raises HTTPError."""
    data = None if body is None else json.dumps(body).encode()
    request = AWSRequest("POST" if data else "GET", url, data=data, headers={"Content-Type": "application/json"})
    SigV4Auth(OWNER, "execute-api", "us-east-1").add_auth(request)
    with urllib.request.urlopen(urllib.request.Request(url, data, dict(request.headers.items()))) as response:
        answered: dict[str, Any] = json.load(response)
    return answered


def wait_for(condition: Callable[[], Any]) -> None:
    """Until it is true."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.2)
