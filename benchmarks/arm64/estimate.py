"""Milliseconds and dollars on Lambda's arm64, estimated from instructions. Nothing here was measured on Graviton.

Sources: AWS Lambda developer guide, "Selecting and configuring an instruction set architecture" (Graviton2); Amazon
EC2, "AWS Graviton processors" (Graviton2: Neoverse N1 at 2.5 GHz); Arm Neoverse N1 Software Optimization Guide,
"Pipeline overview" (two pipelines, V0 and V1, for SIMD and floating point; four instructions decoded a cycle).
"""

from dataclasses import dataclass

from benchmarks.arm64.counting import Counts
from chalicelib.pricing import cost_usd
from localaws.processor.share import MEMORY_MB_PER_VCPU

CLOCK_GHZ = 2.5
SIMD_A_CYCLE = 2
ALL_A_CYCLE = 3.0
"""Assumed, not measured: the processor takes four a cycle at most, and well-fed loops come near three."""
ASSUMPTIONS = (
    f"Estimated from instructions, not measured on Graviton2 (Neoverse N1, {CLOCK_GHZ} GHz).\n"
    f"SIMD: {SIMD_A_CYCLE} a cycle, the most that it can issue, so a floor. All: {ALL_A_CYCLE:g} a cycle, assumed. The "
    "larger of the two counts.\n"
    f"$ / million: Lambda's arm64 price of one inference and the request, one thread, {MEMORY_MB_PER_VCPU} MB."
)


@dataclass(frozen=True)
class Estimate:
    """One inference on one thread."""

    simd_ms: float
    """The least: if nothing but the SIMD pipelines limits it."""
    all_ms: float
    """If `ALL_A_CYCLE` instructions of any kind are done in a cycle."""

    @classmethod
    def of(cls, counts: Counts) -> "Estimate":
        """From the instructions of one inference."""
        cycles_a_ms = CLOCK_GHZ * 1e6
        return cls(counts.simd / SIMD_A_CYCLE / cycles_a_ms, counts.all / ALL_A_CYCLE / cycles_a_ms)

    @property
    def ms(self) -> float:
        """The larger of both."""
        return max(self.simd_ms, self.all_ms)

    @property
    def usd_per_million(self) -> float:
        """Lambda's price with one vCPU's memory, the fee included."""
        return cost_usd(self.ms, MEMORY_MB_PER_VCPU, "arm64") * 1e6
