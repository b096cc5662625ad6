"""EventBridge's schedules, which moto keeps and never runs: `rate(...)`; `cron(...)` is only kept here, too.

Source: Amazon EventBridge user guide, "Creating a rule that runs on a schedule".
"""

import json
import logging
import re
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from moto.events.models import events_backends
from moto.sqs.models import sqs_backends

from localaws.shims import deliveries

LOOK_EVERY_S = 0.2
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_MINUTES = {"minute": 1, "hour": 60, "day": 1440}
_LOG = logging.getLogger("localaws")


class Schedules:
    """One thread that looks at all rules. `minute_s` is how long a minute lasts, 60 as on AWS."""

    def __init__(self, account_id: str, region: str, minute_s: float) -> None:
        self._account_id, self._region, self._minute_s = account_id, region, minute_s
        self._due: dict[tuple[str, str], float] = {}
        """By name and expression: a value of `time.monotonic()`."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="localaws-schedules", daemon=True)

    def start(self) -> None:
        """Begin to look at the rules."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what it does now."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            for bus in list(events_backends[self._account_id][self._region].event_buses.values()):
                for rule in list(bus.rules.values()):
                    every_s = rate_s(rule.scheduled_expression or "", self._minute_s)
                    if every_s and rule.state == "ENABLED":
                        self._fire_if_due(rule, every_s)

    def _fire_if_due(self, rule: Any, every_s: float) -> None:
        key, now = (rule.name, rule.scheduled_expression), time.monotonic()
        if now >= self._due.setdefault(key, now + every_s):
            self._due[key] = now + every_s
            try:
                fire(rule)
            except Exception as error:  # one rule must not stop the others
                _LOG.warning("schedule %s: %s", rule.name, error)


def rate_s(expression: str, minute_s: float) -> float | None:
    """Seconds from one time to the next; None for another expression."""
    found = _RATE.fullmatch(expression)
    return int(found[1]) * _MINUTES[found[2]] * minute_s if found else None


def fire(rule: Any, at: datetime | None = None) -> None:
    """Send a rule's event to its functions and queues, as at one of its times."""
    when = (at or datetime.now(UTC)).isoformat(timespec="seconds").replace("+00:00", "Z")
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": rule.account_id,
        "time": when,
        "region": rule.region_name,
        "resources": [rule.arn],
        "detail": {},
    }
    deliveries.send(rule, event)
    for target in rule.targets:
        if ":sqs:" in target["Arn"]:
            body = target.get("Input") or json.dumps(event)
            sqs_backends[rule.account_id][rule.region_name].send_message(target["Arn"].rpartition(":")[2], body)
