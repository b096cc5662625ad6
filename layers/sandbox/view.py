"""What a process in the sandbox sees of this machine, as arguments of bubblewrap (bwrap(1))."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

USER_ID, GROUP_ID = 993, 990
"""Lambda's sbx_user1051. Files of the user who starts the sandbox seem to be this user's."""
TASK, OPT, RUNTIME = "/var/task", "/opt", "/var/runtime"
"""Lambda's places of the function's code, the unpacked layers and the runtime client."""
TMP_MB = 512
"""Lambda's default (AWS Lambda developer guide, "Configure ephemeral storage")."""
_ETC = Path(__file__).with_name("etc")
_SYSTEM = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
_SYSTEM_ETC = ("ld.so.cache", "alternatives", "ca-certificates", "pki", "ssl")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_PROC_OF_ROOT = ("sys", "sysrq-trigger", "irq", "bus")
"""If root starts the sandbox, the kernel would let it write to these even without a capability."""


@dataclass(frozen=True)
class View:
    """The read-only places of one sandbox, and the size of /tmp, the only place to write to."""

    read_only: Mapping[str, Path]
    """Path inside to file or folder outside; also over a file of the system, such as /proc/cpuinfo."""
    tmp_mb: int = TMP_MB
    folder: str = "/"
    """The working directory."""

    def arguments(self) -> list[str]:
        """Options of bwrap: namespaces, then the file system, built in this order and read-only at the end."""
        user = ["--unshare-all", "--uid", str(USER_ID), "--gid", str(GROUP_ID), "--cap-drop", "ALL"]
        return [*user, *self._file_system(), "--remount-ro", "/", "--chdir", self.folder]

    def _file_system(self) -> Iterator[str]:
        yield from ("--ro-bind", "/usr", "/usr")
        for name in _SYSTEM:
            yield from _system_folder(Path("/", name))
        for file in sorted(_ETC.iterdir()):
            yield from ("--ro-bind", str(file), f"/etc/{file.name}")
        for name in _SYSTEM_ETC:
            yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
        for name in _DEVICES:  # without /dev/shm, so that semaphores of processes fail as on Lambda
            yield from ("--dev-bind", f"/dev/{name}", f"/dev/{name}")
        yield from ("--dir", "/home", "--perms", "0000", "--dir", "/root", "--dir", "/run", "--dir", "/var")
        yield from ("--proc", "/proc")
        for name in _PROC_OF_ROOT:
            yield from ("--ro-bind-try", f"/proc/{name}", f"/proc/{name}")
        for inside, outside in sorted(self.read_only.items()):
            yield from ("--ro-bind", str(outside), inside)
        yield from ("--size", str(self.tmp_mb * 2**20), "--tmpfs", "/tmp")


def _system_folder(path: Path) -> list[str]:
    if path.is_symlink():
        return ["--symlink", str(path.readlink()), str(path)]
    return ["--ro-bind", str(path), str(path)] if path.is_dir() else []
