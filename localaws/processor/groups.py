"""Control groups of either version: where they can be made, and one that is made, filled and removed.

Sources: cgroups(7); the kernel's documentation, "Control Group v2".
"""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

PROC = Path("/proc/self")
_REMOVE_TRIES = 50


class Group:
    """The group of one process. In version 2 two limits share it, so that it may be there already."""

    def __init__(self, parent: Path, version: int, pid: int) -> None:
        """Raises OSError."""
        self.version = version
        self._path = parent / f"localaws-{pid}"
        self._path.mkdir(exist_ok=True)

    def write(self, file: str, value: int | str) -> None:
        """Set one of its files; raises OSError."""
        (self._path / file).write_text(str(value))

    def counters(self, file: str) -> dict[str, int]:
        """A file of names and numbers, one pair a line; raises OSError."""
        lines = (self._path / file).read_text().splitlines()
        return {name: int(number) for name, number in map(str.split, lines)}

    def add(self, pid: int) -> None:
        """Put a process into it, and with it all that the process will start; raises OSError."""
        with contextlib.suppress(ProcessLookupError):  # it may have ended already
            self.write("cgroup.procs", pid)

    @contextlib.contextmanager
    def released_if_it_fails(self) -> Iterator[None]:
        """A `with` block that prepares and fills it; an OSError in there removes it."""
        try:
            yield
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """Remove it. Try for a moment: what a killed process had started may still be ending."""
        for _ in range(_REMOVE_TRIES):
            try:
                self._path.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.01)
            else:
                return


class Releasable(Protocol):
    """What a process was admitted to."""

    def release(self) -> None:
        """The process has ended."""


def attempt(admit: Callable[[int], Releasable]) -> None:
    """Admit a process that waits; raises OSError.

    Making a group may be allowed, and putting a process into it refused.
    """
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as waiting:
        try:
            admitted = admit(waiting.pid)
        finally:
            waiting.kill()
    admitted.release()


def candidates(controller: str, proc: Path = PROC) -> Iterator[tuple[Path, int]]:
    """Parents for groups with a controller (`cpu`, `memory`), and their version.

    Below our own group; in version 2 beside it, since a group that has processes cannot limit children.
    """
    own = _own_groups(controller, proc)
    for mount, version in _mounts(controller, proc):
        place = mount / own.get(version, "")
        if version == 2:
            yield place.parent if place != mount else mount, 2
        else:
            yield place if place.is_dir() else mount, 1  # a container's own mount starts at its own group


def _own_groups(controller: str, proc: Path) -> dict[int, str]:
    """Path of our own group with this controller, by version (cgroups(7), /proc/pid/cgroup)."""
    lines = [line.split(":", 2) for line in (proc / "cgroup").read_text().splitlines()]
    paths = {
        2 if number == "0" else 1: path
        for number, names, path in lines
        if number == "0" or controller in names.split(",")
    }
    return {version: path.strip("/") for version, path in paths.items()}


def _mounts(controller: str, proc: Path) -> Iterator[tuple[Path, int]]:
    for line in (proc / "mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup" and controller in options.split(","):
            yield Path(place), 1
        elif kind == "cgroup2" and controller in (Path(place) / "cgroup.controllers").read_text().split():
            yield Path(place), 2
