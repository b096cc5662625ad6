"""What a batch costs on AWS, estimated from its counts.

List prices of us-east-1 in US dollars, x86_64, without the free tier; other regions differ. Sources: the price lists
of Amazon SQS, Amazon S3 and Amazon DynamoDB (on demand), read in 2026; AWS Lambda's are in `pricing`.
"""

from chalicelib.aws.sqs import SEND_AT_ONCE
from chalicelib.config import MEMORY_MB_PER_VCPU
from chalicelib.pricing import USD_PER_REQUEST, compute_usd

SQS_REQUEST = 0.40 / 1e6
S3_GET = 0.0004 / 1e3
WRITE_UNIT = 0.625 / 1e6
MEMORY_MB = MEMORY_MB_PER_VCPU
"""The worker's memory in .chalice/config.json. It waits for S3 and DynamoDB, where a faster processor would be idle."""
PICTURES_AT_ONCE = 5
"""Messages in one invocation, the worker's `BatchSize`. A crash affects all of them, but they share the fee."""


def estimate(pictures: int, busy_ms: float) -> dict[str, float]:
    """US dollars by service for `pictures` that kept the workers busy for `busy_ms` in total."""
    invocations = pictures / PICTURES_AT_ONCE
    costs = {
        "lambda_usd": compute_usd(busy_ms, MEMORY_MB, "x86_64") + invocations * USD_PER_REQUEST,
        "sqs_usd": (pictures / SEND_AT_ONCE + 2 * invocations) * SQS_REQUEST,  # sent; received and deleted
        "s3_usd": pictures * S3_GET,
        "dynamodb_usd": 2 * (pictures + invocations) * WRITE_UNIT,  # a transaction writes twice
    }
    return {name: round(cost, 6) for name, cost in {**costs, "total_usd": sum(costs.values())}.items()}
