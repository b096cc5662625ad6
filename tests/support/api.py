"""A deployed API on the local AWS, called as its owner, for routes that IAM guards."""

import time
from collections.abc import Callable
from typing import Any

from botocore.credentials import Credentials

from benchmarks.api_client import ApiClient

LIMIT_S = 400
"""When a test gives up: far more than a busy machine needs, with a first try that failed."""
OWNER = Credentials("localaws", "localaws")


def ask(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """POST if there is a body, otherwise GET; signed. Its answer must be no error."""
    answer = ApiClient(url, OWNER, "us-east-1").ask("", body)
    assert answer.status < 300, answer
    return answer.body


def wait_for(condition: Callable[[], Any], shown: Callable[[], str] = str) -> Any:
    """What the condition gives when it is true; one that never is says what `shown` gives."""
    deadline = time.monotonic() + LIMIT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never came true {shown()}"
        time.sleep(0.1)
    return found
