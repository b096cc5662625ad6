"""Processor shares by the kernel, as on Lambda: CFS bandwidth control of a cgroup, version 1 or 2.

Sources: the kernel's documentation, "CFS Bandwidth Control" and "Control Group v2".
"""

from pathlib import Path

from localaws.errors import CgroupMissing
from localaws.processor.groups import PROC, Group, attempt, candidates
from localaws.processor.share import PERIOD_US, Share, quota_us

_FIRST = {1: ("cpu.shares", "262144"), 2: ("cpu.weight", "10000")}
"""The most that either version takes: within its quota a function comes before all other work of this machine, since
on Lambda nobody else's work delays it."""


class CgroupProcessor:
    """Makes a cgroup for each process, below `parent`."""

    def __init__(self, parent: Path, version: int) -> None:
        """Raises CgroupMissing if no limited cgroup can be made there."""
        self.name = f"CFS quota of a cgroup (v{version}), period {PERIOD_US // 1000} ms"
        self.parent, self._version = parent, version
        try:
            attempt(lambda pid: self.admit(pid, 1.0))
        except OSError as error:
            raise CgroupMissing(f"no cgroup with a processor quota can be made below {parent}: {error}") from error

    def admit(self, pid: int, vcpus: float) -> Share:
        """Put the process into its own cgroup, which `release` removes; raises OSError."""
        cgroup = _Quota(self.parent, self._version, pid)
        with cgroup.released_if_it_fails():
            cgroup.write(*_FIRST[self._version])
            cgroup.resize(vcpus)
            cgroup.add(pid)
        return cgroup


class _Quota(Group):
    def resize(self, vcpus: float) -> None:
        if self.version == 2:
            self.write("cpu.max", f"{quota_us(vcpus)} {PERIOD_US}")
            return
        self.write("cpu.cfs_period_us", PERIOD_US)
        self.write("cpu.cfs_quota_us", quota_us(vcpus))

    def stopped_ms(self) -> float:
        counted = self.counters("cpu.stat")
        return counted["throttled_time"] / 1e6 if self.version == 1 else counted["throttled_usec"] / 1e3


def find(proc: Path = PROC) -> CgroupProcessor:
    """The first place in which cgroups with a quota can be made; raises CgroupMissing with the last reason."""
    reason = CgroupMissing("no cgroup with a processor quota is mounted here")
    for parent, version in candidates("cpu", proc):
        try:
            return CgroupProcessor(parent, version)
        except CgroupMissing as error:
            reason = error
    raise reason
