"""One process, started for one front: what the adapter costs when it is imported, at its first event, and afterwards.

    python -m benchmarks.fronts.process "function URL"

It prints JSON, in milliseconds of processor time, so that other processes do not count. Chalice and the views are
replaced by a response that is there already, so that only the adapter's time is left. What the app imports without the
adapter is imported before.
"""

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.fronts.events import EVENTS

AFTERWARDS = 2_000
"""Events of which the median is taken."""
RESPONSE = {
    "statusCode": 200,
    "headers": {"Content-Type": "application/json", "X-Request-Id": "front-1", "X-Content-Type-Options": "nosniff"},
    "multiValueHeaders": {},
    "body": "{}",
}


def milliseconds(work: Callable[[], Any]) -> float:
    """The processor time of a call."""
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1000


def import_door() -> None:
    """What `app` imports of the adapter."""
    from chalicelib.api.fronts import door  # noqa: F401


def measured(front: str) -> dict[str, float]:
    """`import_ms`, `first_ms` and `later_ms`, the median, of one front's events."""
    import chalice.app  # noqa: F401

    import chalicelib.api
    import chalicelib.errors  # noqa: F401

    gc.collect()  # here and below: or garbage of the app's imports is collected in the middle
    import_ms = milliseconds(import_door)
    import app
    from chalicelib.api.fronts import door

    class Stub:
        routes = app.app.routes

        def serve(self, *_: Any) -> Any:
            return RESPONSE

        refuse = preflight = serve

    event, stub = EVENTS[front], Stub()
    gc.collect()
    first_ms = milliseconds(lambda: door.answer(event, None, stub))
    later = [milliseconds(lambda: door.answer(event, None, stub)) for _ in range(AFTERWARDS)]
    return {"import_ms": import_ms, "first_ms": first_ms, "later_ms": statistics.median(later)}


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1])))
