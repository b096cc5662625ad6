"""The process of one function instance: AWS's runtime client with its own search path and environment."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from layers.errors import SandboxError
from layers.sandbox.process import SandboxedProcess
from layers.sandbox.view import View
from localaws.errors import SandboxFailed


class FunctionProcess(Protocol):
    """A process outside of this one's session, so that a terminal's Ctrl-C does not reach it."""

    pid: int
    """On this machine, also its group's."""
    began: float
    """When the function's own process started, a value of `time.monotonic()`."""

    @property
    def alive(self) -> bool:
        """Whether it still runs."""

    def begin(self) -> None:
        """Let it run, unless it already does."""

    def kill(self) -> None:
        """End the process and what it started, and wait for it. Does nothing if it has ended."""

    def exit_code(self) -> int:
        """Wait for its end: the exit status, or the negative number of a signal."""

    def tmp_bytes(self) -> int:
        """How much of its memory is files in /tmp."""


class UnconfinedProcess:
    """A process in its own group, which is what ends with it. It sees this machine as this program does."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], task: Path, log_path: Path) -> None:
        self.began = time.monotonic()
        with open(log_path, "ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=task,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def begin(self) -> None:
        """Do nothing: it runs since it was made."""

    def kill(self) -> None:
        """End the process and all in its group."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def exit_code(self) -> int:
        """As Popen has it."""
        return self._process.wait()

    def tmp_bytes(self) -> int:
        """None: /tmp is this machine's."""
        return 0


class ConfinedProcess:
    """A process in a sandbox, with all that runs there."""

    def __init__(
        self, view: View, command: Sequence[str], environment: Mapping[str, str], ports: Sequence[int], log_path: Path
    ) -> None:
        """Raises SandboxFailed."""
        self._environment = environment
        try:
            with open(log_path, "ab") as log:
                self._process = SandboxedProcess(view, command, ports, log)
        except SandboxError as error:
            raise SandboxFailed(f"{error}: {log_path}") from error
        self.pid, self.listening = self._process.pid, self._process.listening
        self.began = time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether anything in the sandbox still runs."""
        return self._process.alive

    def begin(self) -> None:
        """Give it its environment, for which it waits."""
        self.began = time.monotonic()
        self._process.start(self._environment)

    def kill(self) -> None:
        """End the sandbox."""
        self._process.kill()

    def exit_code(self) -> int:
        """That of the function's process, not of the sandbox."""
        return self._process.exit_code()

    def tmp_bytes(self) -> int:
        """How much its /tmp holds, which is memory of this machine; 0 once it has ended."""
        try:
            tmp = os.statvfs(f"/proc/{self.pid}/root/tmp")
        except OSError:
            return 0
        return (tmp.f_blocks - tmp.f_bfree) * tmp.f_frsize


def exit_reason(code: int) -> str:
    """How a process with this exit code ended, in Lambda's words."""
    if code == 0:
        return "Runtime exited without providing a reason"
    if code < 0:
        names = {signal.SIGKILL: "killed", signal.SIGSEGV: "segmentation fault", signal.SIGABRT: "aborted"}
        return f"Runtime exited with error: signal: {names.get(signal.Signals(-code), signal.strsignal(-code))}"
    return f"Runtime exited with error: exit status {code}"


def queued_ms(pid: int) -> float:
    """How long its threads have waited for a processor, added up; 0 once it has ended, or without /proc.

    Source: the kernel's documentation, "Scheduler Statistics", /proc/<pid>/schedstat.
    """
    try:
        tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
        return sum(int(task.read_text(encoding="ascii").split()[1]) for task in tasks) / 1e6
    except (OSError, ValueError, IndexError):
        return 0.0
