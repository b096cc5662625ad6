"""Child processes that answer line by line: a crash or a hang is a finding, and the next line gets a new process."""

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")
PROJECT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
FUNCTION = [sys.executable, str(HERE / "worker.py"), str(PROJECT)]
"""The command line of the function in this checkout."""
PLAIN = [sys.executable, str(HERE / "plain.py")]
START_S = 60


class Crash(Exception):
    """The process ended, or was ended because it took too long."""


def processor_s(pid: int) -> float:
    """Seconds of processor time that a process has used; 0 if it has ended. Source: Linux, proc_pid_stat(5)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Child:
    """One process at a time. `ask` starts it; after a Crash the next `ask` starts another."""

    def __init__(
        self,
        command: list[str],
        limit_s: float = 60,
        environment: Mapping[str, str] | None = None,
        headroom_mb: int | None = None,
    ) -> None:
        """`limit_s` is processor time for one answer. `headroom_mb` limits memory above what the start takes."""
        self._command, self._limit_s, self._environment, self._headroom_mb = command, limit_s, environment, headroom_mb
        self._process: subprocess.Popen[bytes] | None = None
        self.hello: dict[str, Any] = {}
        """The process's first line."""

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The reply to one line; raises Crash."""
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(asked).encode() + b"\n")
        except BrokenPipeError:
            raise self._crash("before it read the line") from None
        return self._read(process, self._limit_s)

    def _start(self) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            self._command,
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=PROJECT,
            env=self._environment,
        )
        self.hello = self._read(self._process, START_S)
        if self._headroom_mb is not None:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + self._headroom_mb * 2**20
            resource.prlimit(self._process.pid, resource.RLIMIT_AS, (limit, limit))
        return self._process

    def _read(self, process: subprocess.Popen[bytes], limit_s: float) -> dict[str, Any]:
        """A line, within `limit_s` of the process's own time, and ten times as long by the clock."""
        assert process.stdout is not None
        began, spent_s = time.monotonic(), processor_s(process.pid)
        line = b""
        while not line.endswith(b"\n"):
            if select.select([process.stdout], [], [], 1)[0]:
                part = os.read(process.stdout.fileno(), 1 << 16)
                if not part:
                    raise self._crash("")
                line += part
            elif processor_s(process.pid) - spent_s > limit_s or time.monotonic() - began > 10 * limit_s:
                raise self._crash(f"no answer within {limit_s:.0f} s")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _crash(self, reason: str) -> Crash:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0 if reason else 5)
        code = self._process.returncode
        self.close()
        named = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return Crash(reason or named)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()


def in_turn(
    asked: list[Asked], make: Callable[[], Child], work: Callable[[Child, Asked], Answered], processes: int
) -> list[Answered]:
    """`work` on everything, in `processes` threads that have a Child each; the results in order."""
    results: dict[int, Answered] = {}
    waiting = list(enumerate(asked))[::-1]

    def run() -> None:
        with make() as child:
            while waiting:
                try:
                    number, one = waiting.pop()
                except IndexError:
                    return
                results[number] = work(child, one)

    with ThreadPoolExecutor(processes) as pool:
        for future in [pool.submit(run) for _ in range(processes)]:
            future.result()
    return [results[number] for number in range(len(asked))]
