"""The times and limits of AWS that moto has not; a test may make them smaller."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """AWS's, unless they are given."""

    transition_s: float = 2.0
    """How long an event source mapping is Creating, Updating or Deleting; on AWS up to a minute."""
    write_units_per_s: float = 1000.0
    """Of one partition key of a DynamoDB table (`throughput`)."""
    minute_s: float = 60.0
    """A minute of a schedule's rate."""
    express_s: float = 300.0
    """An express execution (AWS Step Functions developer guide, "Quotas": five minutes)."""
