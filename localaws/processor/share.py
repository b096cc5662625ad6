"""How much processor an instance gets: on Lambda a share that its memory size buys, here all unless limited.

Sources: AWS Lambda developer guide, "Configure function memory" (one vCPU at 1,769 MB, and in proportion);
AWS's guide "Effectively running Java on Serverless", "Utilize initialization phase" (a full vCPU in INIT,
whatever the memory size).
"""

from typing import Protocol

MEMORY_MB_PER_VCPU = 1769
INIT_VCPUS = 1.0
"""The least until the instance asks for its first event."""
PERIOD_US = 20_000
"""A period in which the share can be used: a process that uses it early waits for the next period. Lambda's own
period is not documented; 20 ms is assumed."""


def vcpus_of(memory_mb: int) -> float:
    """The vCPUs that a memory size buys."""
    return memory_mb / MEMORY_MB_PER_VCPU


def quota_us(vcpus: float) -> int:
    """Microseconds of processor time in each period."""
    return max(1000, round(vcpus * PERIOD_US))  # the kernel takes no less than 1 ms


class Share(Protocol):
    """What one process may use."""

    def resize(self, vcpus: float) -> None:
        """Change it, at once."""

    def stopped_ms(self) -> float:
        """How long the share has kept its threads from running so far."""

    def release(self) -> None:
        """The process has ended. Does nothing the second time."""


class Processor(Protocol):
    """Gives processes their shares."""

    name: str
    """How it limits them, for readers of the figures."""

    def admit(self, pid: int, vcpus: float) -> Share:
        """Limit a process that has just started, and all that it will start."""


class WholeMachine:
    """No limit: a function is as fast as this machine."""

    name = "no limit"

    def admit(self, pid: int, vcpus: float) -> Share:  # noqa: ARG002
        """Do nothing."""
        return _Unlimited()


class _Unlimited:
    def resize(self, vcpus: float) -> None:
        pass

    def stopped_ms(self) -> float:
        return 0.0

    def release(self) -> None:
        pass
