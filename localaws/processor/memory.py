"""How much memory an instance gets: above its size the kernel ends it, as on Lambda, or it is watched.

Sources: the kernel's documentation, "Memory Resource Controller" (cgroup version 1) and "Control Group v2".
"""

import contextlib
from pathlib import Path
from typing import Protocol

from localaws.processor.groups import PROC, Group, attempt, candidates

_BYTES_PER_MB = 2**20


class MemoryLimit(Protocol):
    """The limit of one process and of all that it starts."""

    def exceeded(self, tmp_bytes: int) -> bool:
        """Whether more was used. `tmp_bytes` in /tmp do not count: on Lambda that is a disk, in a sandbox memory."""

    def release(self) -> None:
        """The process has ended. Does nothing the second time."""


class Memory(Protocol):
    """Gives processes their limits."""

    name: str
    """How it limits them, for readers of the figures."""

    def admit(self, pid: int, memory_mb: int) -> MemoryLimit:
        """Limit a process that has just started, and all that it will start."""


class CgroupMemory:
    """Makes a cgroup for each process, below `parent`. What the kernel can drop of it, mapped files, it drops first."""

    def __init__(self, parent: Path, version: int) -> None:
        self.name = f"the kernel (cgroup v{version})"
        self.parent, self._version = parent, version

    def admit(self, pid: int, memory_mb: int) -> MemoryLimit:
        """Put the process into its own cgroup, which `release` removes; raises OSError."""
        group = _Limit(self.parent, self._version, pid)
        with group.released_if_it_fails():
            group.prepare(memory_mb)
            group.add(pid)
        return group

    def attempt(self) -> None:
        """Raises OSError if no limited cgroup can be made there, or no process put into it."""
        attempt(lambda pid: self.admit(pid, 128))


class _Limit(Group):
    def prepare(self, memory_mb: int) -> None:
        self._limit_bytes = self._set_bytes = memory_mb * _BYTES_PER_MB
        self._resize()
        self._killed_before = self._killed()
        with contextlib.suppress(OSError):  # of a kernel without swap
            self.write("memory.swap.max" if self.version == 2 else "memory.swappiness", 0)

    def exceeded(self, tmp_bytes: int) -> bool:
        if self._limit_bytes + tmp_bytes != self._set_bytes:
            self._set_bytes = self._limit_bytes + tmp_bytes
            with contextlib.suppress(OSError):  # version 1, if more is used: the kernel ends it at its next page
                self._resize()
        return self._killed() > self._killed_before

    def _resize(self) -> None:
        self.write("memory.max" if self.version == 2 else "memory.limit_in_bytes", self._set_bytes)

    def _killed(self) -> int:
        return self.counters("memory.events" if self.version == 2 else "memory.oom_control")["oom_kill"]


class WatchedMemory:
    """Without any privilege: the process is looked at."""

    name = "a look every 10 ms, since no cgroup can be made"

    def admit(self, pid: int, memory_mb: int) -> MemoryLimit:
        """Begin with the next look."""
        return _Watched(pid, memory_mb)


class _Watched:
    def __init__(self, pid: int, memory_mb: int) -> None:
        self._pid, self._memory_mb = pid, memory_mb

    def exceeded(self, tmp_bytes: int) -> bool:  # noqa: ARG002 - a process's own memory does not hold /tmp
        return peak_mb(self._pid) > self._memory_mb

    def release(self) -> None:
        pass


def find(proc: Path = PROC) -> Memory:
    """Cgroups if they can be made here, else a watch."""
    with contextlib.suppress(OSError):
        for parent, version in candidates("memory", proc):
            with contextlib.suppress(OSError):
                found = CgroupMemory(parent, version)
                found.attempt()
                return found
    return WatchedMemory()


def peak_mb(pid: int) -> int:
    """The most memory that was ever resident, in MB rounded up; 0 once it has ended, or without /proc.

    The kernel keeps the peak (proc(5), VmHWM), so that a short one between two looks counts, too. It is that
    of the process itself, without its children. Mapped files count here, and Lambda can drop and read them
    again: what fits here fits there.
    """
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return -(-int(line.split()[1]) // 1024)
    except (OSError, ValueError, IndexError):
        pass
    return 0
