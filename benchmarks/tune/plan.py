"""What is measured: each bundle at each memory size, with each number of threads that could be worth it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from localaws.processor.share import MEMORY_MB_PER_VCPU, vcpus_of

SIZES_MB = tuple(round(quarters * MEMORY_MB_PER_VCPU / 4) for quarters in range(1, 9))
"""Steps of a quarter of a vCPU, up to two vCPUs."""


@dataclass(frozen=True, order=True)
class Configuration:
    """One way of running a bundle."""

    bundle: str
    memory_mb: int
    threads: int

    @property
    def vcpus(self) -> float:
        """Share of the processor that the memory size buys."""
        return vcpus_of(self.memory_mb)


def configurations(bundle: str, sizes_mb: Sequence[int], cpus: int) -> Iterator[Configuration]:
    """One thread up to one for each vCPU or part of one; at exactly one vCPU also two, for comparison."""
    for memory_mb in sizes_mb:
        most = min(cpus, math.ceil(vcpus_of(memory_mb)) + (memory_mb == MEMORY_MB_PER_VCPU))
        for threads in range(1, most + 1):
            yield Configuration(bundle, memory_mb, threads)


def too_large(sizes_mb: Sequence[int], cpus: int) -> dict[int, str]:
    """The sizes that buy more vCPUs than this machine has, each with the reason to leave it out."""
    reason = "buys {:.1f} vCPUs, and this machine has {}"
    return {size: reason.format(vcpus_of(size), cpus) for size in sizes_mb if vcpus_of(size) > cpus + 0.001}
