"""Processor shares by the kernel, as on Lambda: CFS bandwidth control of a cgroup, version 1 or 2.

Sources: the kernel's documentation, "CFS Bandwidth Control" and "Control Group v2".
"""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from localaws.errors import CgroupMissing
from localaws.processor.share import PERIOD_US, Share, quota_us

_REMOVE_TRIES = 50
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
            self._try()
        except OSError as error:
            raise CgroupMissing(f"no cgroup with a processor quota can be made below {parent}: {error}") from error

    def admit(self, pid: int, vcpus: float) -> Share:
        """Put the process into its own cgroup, which `release` removes; raises OSError."""
        cgroup = _Cgroup(self.parent / f"localaws-{pid}", self._version)
        try:
            cgroup.prefer()
            cgroup.resize(vcpus)
            cgroup.add(pid)
        except OSError:
            cgroup.release()
            raise
        return cgroup

    def _try(self) -> None:
        """Try both steps: making a cgroup may be allowed, and putting a process into it refused."""
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as waiting:
            try:
                share = self.admit(waiting.pid, 1.0)
            finally:
                waiting.kill()
        share.release()


class _Cgroup:
    def __init__(self, path: Path, version: int) -> None:
        self._path, self._version = path, version
        path.mkdir()

    def prefer(self) -> None:
        file, most = _FIRST[self._version]
        (self._path / file).write_text(most)

    def add(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it may have ended already
            (self._path / "cgroup.procs").write_text(str(pid))

    def resize(self, vcpus: float) -> None:
        if self._version == 2:
            (self._path / "cpu.max").write_text(f"{quota_us(vcpus)} {PERIOD_US}")
            return
        (self._path / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (self._path / "cpu.cfs_quota_us").write_text(str(quota_us(vcpus)))

    def stopped_ms(self) -> float:
        counted = dict(line.split() for line in (self._path / "cpu.stat").read_text().splitlines())
        return int(counted["throttled_time"]) / 1e6 if self._version == 1 else int(counted["throttled_usec"]) / 1e3

    def release(self) -> None:
        """Try for a moment: what a killed process had started may still be ending."""
        for _ in range(_REMOVE_TRIES):
            try:
                self._path.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.01)
            else:
                return


def find(proc: Path = Path("/proc/self")) -> CgroupProcessor:
    """The first place in which cgroups with a quota can be made; raises CgroupMissing with the last reason."""
    reason = CgroupMissing("no cgroup with a processor quota is mounted here")
    for parent, version in _candidates(proc):
        try:
            return CgroupProcessor(parent, version)
        except CgroupMissing as error:
            reason = error
    raise reason


def _candidates(proc: Path) -> Iterator[tuple[Path, int]]:
    """Below our own cgroup; in version 2 beside it, since a cgroup that has processes cannot limit children."""
    own = _own_cgroups(proc)
    for mount, version in _mounts(proc):
        place = mount / own.get(version, "")
        if version == 2:
            yield place.parent if place != mount else mount, 2
        else:
            yield place if place.is_dir() else mount, 1  # a container's own mount starts at its own cgroup


def _own_cgroups(proc: Path) -> dict[int, str]:
    """Path of the cgroup that has the processor controller, by version (cgroups(7), /proc/pid/cgroup)."""
    lines = [line.split(":", 2) for line in (proc / "cgroup").read_text().splitlines()]
    paths = {
        2 if number == "0" else 1: path for number, names, path in lines if number == "0" or "cpu" in names.split(",")
    }
    return {version: path.strip("/") for version, path in paths.items()}


def _mounts(proc: Path) -> Iterator[tuple[Path, int]]:
    for line in (proc / "mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            yield Path(place), 1
        elif kind == "cgroup2" and "cpu" in (Path(place) / "cgroup.controllers").read_text().split():
            yield Path(place), 2
