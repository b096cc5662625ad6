"""How much is asked of a stage, and what that costs: as expected, and at most.

The upper bound follows from time-outs and tries, which AWS enforces, not from a guess of how fast a picture is.
"""

from typing import NamedTuple

from benchmarks.tune.prices import USD_PER_CALL
from chalicelib.batch.cost import PICTURES_AT_ONCE, SQS_REQUEST, WRITE_UNIT
from chalicelib.pricing import compute_usd

API_S, WORKER_S, CLASSIFY_S, OTHERS_S = 30, 30, 40, 1200
"""Time-outs of the functions (.chalice/config.json); the last: lister, plan and report together, two tries of each."""
DELIVERIES = 5
"""Of a message at most (.chalice/resources.json, maxReceiveCount)."""
TRIES_OF_GROUP = 60
"""At most, over the three states of a group and their Retry in .chalice/workflow.asl.json."""
USUAL_S = 0.2
"""A picture's share of an invocation, as expected."""
S3_PUT, LOGGED_GB = 0.005 / 1000, 0.50
"""US dollars for an upload to S3, and for a gigabyte of logs, in us-east-1. Source: the services' price lists, 2026."""
LOGGED_BYTES = 4000
"""Of one invocation, at most as expected."""


class Plan(NamedTuple):
    """What is sent to a stage."""

    pictures: int = 1000
    """Of the batch."""
    workflow_pictures: int = 200
    warm: int = 200
    """Requests one after another."""
    burst: int = 50
    """Requests at once."""
    limit_s: int = 1800
    """When batch and workflow are given up."""

    @property
    def requests(self) -> int:
        """Calls of the API that classify a picture."""
        return self.warm + 2 * self.burst

    def usual_usd(self, memory_mb: int) -> float:
        """The cost as expected, in US dollars of us-east-1."""
        classified = self.requests + self.pictures + self.workflow_pictures
        return compute_usd(classified * USUAL_S * 1000, memory_mb, "x86_64") + self._other_usd(1)

    def most_usd(self, memory_mb: int) -> float:
        """The cost if every invocation lasts until its time-out, and is tried as often as AWS tries it."""
        seconds = (
            self.requests * API_S
            + -(-self.pictures // PICTURES_AT_ONCE) * WORKER_S * DELIVERIES
            + -(-self.workflow_pictures // 200) * CLASSIFY_S * TRIES_OF_GROUP
            + OTHERS_S
        )
        return compute_usd(seconds * 1000, memory_mb, "x86_64") + self._other_usd(DELIVERIES)

    def _other_usd(self, deliveries: int) -> float:
        """API Gateway, S3, SQS, DynamoDB, logs; each status is looked at every two seconds at most."""
        calls = self.requests + self.limit_s
        pictures = self.pictures + self.workflow_pictures
        logged_gb = LOGGED_BYTES * deliveries * (calls + pictures) / 1e9
        return (
            calls * USD_PER_CALL["REST API"]
            + 2 * pictures * S3_PUT
            + deliveries * pictures * (3 * SQS_REQUEST + 4 * WRITE_UNIT)
            + logged_gb * LOGGED_GB
        )
