"""The price of a prediction on AWS, in US dollars. Lambda's prices are in `chalicelib.pricing`, the others here."""

from dataclasses import dataclass

from chalicelib.pricing import PRICES_OF, USD_PER_REQUEST, compute_usd

SOURCE = f"list prices of us-east-1, on demand, first tier, without the free tier, {PRICES_OF}"
USD_PER_CALL = {"REST API": 3.50 / 1_000_000, "HTTP API": 1.00 / 1_000_000, "function URL": 0.0}
"""Price of one call through API Gateway (an HTTP API counts each 512 kB as a call) or Lambda's function URL, added to
Lambda's price. Source: Amazon API Gateway pricing, AWS Lambda pricing."""
PER_DOLLAR_STATED = (20_000, 30_000)
"""Predictions of Inception for a dollar of Lambda, as the literature states."""


@dataclass(frozen=True)
class Cost:
    """The cost of one prediction."""

    compute_usd: float
    """Memory times time."""

    @classmethod
    def of(cls, billed_ms: float, memory_mb: int, architecture: str = "x86_64") -> "Cost":
        """The cost of a request whose billed duration is `billed_ms`."""
        return cls(compute_usd(billed_ms, memory_mb, architecture))

    @property
    def lambda_usd(self) -> float:
        """Compute and the fee for each request."""
        return self.compute_usd + USD_PER_REQUEST

    def with_way_usd(self, way: str) -> float:
        """Lambda's cost plus one of `USD_PER_CALL`."""
        return self.lambda_usd + USD_PER_CALL[way]
