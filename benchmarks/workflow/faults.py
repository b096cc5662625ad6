"""Failures of a service, to inject. Most of them happen once, so that a retry of the same call succeeds."""

import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from werkzeug.wrappers import Response

from localaws.errors import TooManyRequests
from localaws.host.function import Function
from localaws.host.invocation import Result
from localaws.host.lambda_host import LambdaHost

THROTTLE, TIMEOUT, BUCKET = "throttle", "timeout", "bucket-refuses"
MISSING, CORRUPT, BAD_PICTURE = "b-missing", "b-corrupt", "bad-image"
FAILURES = (THROTTLE, MISSING, CORRUPT, TIMEOUT, BAD_PICTURE, BUCKET)
STUCK = "stuck"
"""Every call that asks both models ends in a time-out, retries too."""
CUT_OFF_S = 0.02
"""Seconds after which a call is cut off. A group takes several times as long to fetch and classify."""
_REFUSED = "<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


class Once:
    """Finds out whether a thing is seen for the first time."""

    def __init__(self) -> None:
        self._seen: set[object] = set()
        self._lock = threading.Lock()

    def is_first(self, what: object) -> bool:
        """Whether this is the first call with `what`."""
        with self._lock:
            first = what not in self._seen
            self._seen.add(what)
        return first

    @property
    def count(self) -> int:
        """How many different things were seen."""
        return len(self._seen)


class FaultyHost(LambdaHost):
    """Refuses the first call for each group, or cuts it off; `fault` decides which."""

    fault: str | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.injected = Once()

    def invoke(self, function: Function, payload: bytes, trace: str = "") -> Result:
        """Invoke the function as LambdaHost does, with the fault if it is due."""
        if not function.name.endswith("-classify") or not self._hits(payload):
            return super().invoke(function, payload, trace)
        if self.fault == THROTTLE:
            raise TooManyRequests(f"{function.name}: refused by the trial")
        return super().invoke(replace(function, timeout_s=CUT_OFF_S), payload, trace)

    def _hits(self, payload: bytes) -> bool:
        if self.fault == STUCK:
            return not {"instead", "failure"} & set(json.loads(payload))
        return self.fault in (THROTTLE, TIMEOUT) and self.injected.is_first((self.fault, payload))


class FirstWriteRefused:
    """A rule for `LocalAws.refuse`: S3 forbids the first write of a report."""

    def __init__(self) -> None:
        self.injected = Once()

    def __call__(self, environ: Mapping[str, Any]) -> Response | None:
        """The refusal, or None."""
        is_report = "/report." in environ.get("PATH_INFO", "") and environ["REQUEST_METHOD"] == "PUT"
        if is_report and self.injected.is_first(BUCKET):
            return Response(_REFUSED, status=403, content_type="application/xml")
        return None
