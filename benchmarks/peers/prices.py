"""What a million predictions cost on Lambda, alone and with what stands around the function, in US dollars."""

from dataclasses import dataclass

from benchmarks.tune.prices import USD_PER_CALL
from chalicelib.pricing import cost_usd
from localaws.processor.share import MEMORY_MB_PER_VCPU

LOG_USD_PER_GB = 0.50
"""List price of CloudWatch Logs, us-east-1: ingested."""
LOG_BYTES, ACCESS_LOG_BYTES = 776, {"HTTP API": 101 + 26}
"""Of a request in the function's log and in the front's, as CloudWatch counts them: see docs/costs.md."""


@dataclass(frozen=True)
class Million:
    """Of a million predictions of one inference each: time at one vCPU's memory, and the fee."""

    function_usd: float
    with_logs_usd: float
    """Behind a function URL, which has no price."""
    with_http_api_usd: float
    """Logs and access log included."""

    @classmethod
    def of(cls, inference_ms: float, architecture: str) -> "Million":
        """Of one thread; `architecture` is Lambda's name."""
        function = cost_usd(inference_ms, MEMORY_MB_PER_VCPU, architecture) * 1e6
        logged = function + LOG_BYTES * LOG_USD_PER_GB / 1000
        front = USD_PER_CALL["HTTP API"] * 1e6 + ACCESS_LOG_BYTES["HTTP API"] * LOG_USD_PER_GB / 1000
        return cls(function, logged, logged + front)
