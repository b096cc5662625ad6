"""What AWS documents of scaling and throttling. Each number stands here once, with its source.

"Lambda" is the AWS Lambda developer guide, "API Gateway" the Amazon API Gateway developer guide.
"""

from dataclasses import dataclass

ACCOUNT_CONCURRENCY = 1000
"""Requests that all functions of an account work on at once in a region, unless AWS raises it; a new account may have
10. Source: Lambda, "Lambda quotas"."""
UNRESERVED = 100
"""Concurrency of the account that can neither be reserved nor provisioned. Source: Lambda, "Configuring reserved
concurrency for a function"."""
SCALING_BURST, SCALING_PER_S = 1000, 100.0
"""A function gets at most 1,000 new environments in 10 s. What is not used does not add up; it is refilled
continuously. So this is a bucket of 1,000. Source: Lambda, "Lambda scaling behavior"."""
REQUESTS_PER_ENVIRONMENT = 10
"""Requests a second for each unit of concurrency, of the account or reserved, and of what the scaling rate has allowed
so far. Source: Lambda, "Lambda quotas" and "Lambda scaling behavior"; for function URLs "Control access to Lambda
function URLs"."""
PROVISIONED_PER_MINUTE = 6000
"""Environments of provisioned concurrency that are made in a minute. Source: Lambda, "Configuring provisioned
concurrency for a function"."""
FIRST_POLLERS, POLLERS_PER_MINUTE, MOST_POLLERS = 5, 300, 1000
"""Batches that an SQS event source mapping works on at once: at first, added each minute, and at most (newer editions
say 1,250). Source: Lambda, "Configuring scaling behavior for SQS event source mappings"."""
FUNCTION_TIMEOUT_S = 30.0
"""Of the API's function: `lambda_timeout` in .chalice/config.json."""
STAGE_RATE, STAGE_BURST = 20, 40
"""RequestsPerSecond and RequestBurst in .chalice/fronts: what a stage takes as deployed."""


@dataclass(frozen=True)
class Front:
    """What stands before the function."""

    name: str
    """As in `benchmarks.tune.prices.USD_PER_CALL`."""
    timeout_s: float
    account_rate: float | None
    """Requests a second of all APIs of the account in a region, unless AWS raises it; None: no such throttle."""
    account_burst: float
    throttled_status: int
    busy_status: int
    """Of a request that Lambda throttles."""


FRONTS = {
    "rest": Front("REST API", 29.0, 10_000.0, 5000.0, 429, 500),
    "http": Front("HTTP API", 30.0, 10_000.0, 5000.0, 429, 503),
    "url": Front("function URL", FUNCTION_TIMEOUT_S, None, 0.0, 429, 429),
}
"""Sources: API Gateway, "Quotas for configuring and running a REST API in API Gateway", "Quotas for configuring and
running an HTTP API in API Gateway", "Amazon API Gateway quotas" (10,000 a second, burst 5,000). For the statuses, see
`localaws.cloud.fronts`."""
