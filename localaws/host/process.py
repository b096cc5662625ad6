"""The process of one function instance: AWS's runtime client with its own search path and environment."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from layers.pythons import Interpreter

_OPTIONS = ("-s", "-S", "-P", "-B")
"""No packages of the user, of the interpreter or of the current directory, and no bytecode written: Lambda's disk is
read-only, so that a second cold start compiles again there, too."""


class FunctionProcess:
    """A process in its own group, so that a terminal's Ctrl-C does not reach it and what it starts ends with it."""

    def __init__(
        self, interpreter: Interpreter, handler: str, environment: Mapping[str, str], task: Path, log_path: Path
    ) -> None:
        with open(log_path, "ab") as log:
            self._process = subprocess.Popen(
                [str(interpreter.path), *_OPTIONS, "-m", "awslambdaric", handler],
                cwd=task,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, also its group's."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process and all in its group, and wait for it. Does nothing if it has ended."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def exit_reason(self) -> str:
        """How it ended, in Lambda's words."""
        code = self._process.wait()
        if code == 0:
            return "Runtime exited without providing a reason"
        if code < 0:
            names = {signal.SIGKILL: "killed", signal.SIGSEGV: "segmentation fault", signal.SIGABRT: "aborted"}
            return f"Runtime exited with error: signal: {names.get(signal.Signals(-code), signal.strsignal(-code))}"
        return f"Runtime exited with error: exit status {code}"

    def peak_mb(self) -> int:
        """The most memory that was ever resident, in MB rounded up; 0 once it has ended, or without /proc.

        The kernel keeps the peak (proc(5), VmHWM), so that a short one between two looks counts, too. It is that
        of the process itself, without its children. Mapped files count here, and Lambda can drop and read them
        again: what fits here fits there.
        """
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as status:
                for line in status:
                    if line.startswith("VmHWM:"):
                        return -(-int(line.split()[1]) // 1024)
        except (OSError, ValueError, IndexError):
            pass
        return 0

    def queued_ms(self) -> float:
        """How long its threads have waited for a processor, added up; 0 once it has ended, or without /proc.

        Source: the kernel's documentation, "Scheduler Statistics", /proc/<pid>/schedstat.
        """
        try:
            tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
            return sum(int(task.read_text(encoding="ascii").split()[1]) for task in tasks) / 1e6
        except (OSError, ValueError, IndexError):
            return 0.0
