"""An instance's log stream: one file, written by the function itself and, in between, by the host.

It is a file and not a pipe: nothing needs to drain it, its order is the order of events, and all that a handler
wrote before it answered is in it when the answer comes.
"""

import math
import time
from pathlib import Path

from localaws.host import emulation
from localaws.host.function import Function
from localaws.host.invocation import Fault


class LogStream:
    """The file behind an instance's standard output and error."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        path.touch()

    @property
    def size_bytes(self) -> int:
        """How much has been written so far."""
        return self.path.stat().st_size

    def write(self, line: str) -> None:
        """Append one of Lambda's own lines."""
        with open(self.path, "ab") as file:
            file.write(line.encode() + b"\n")

    def since(self, offset_bytes: int) -> str:
        """What was written after `offset_bytes`; bytes that are not UTF-8 are replaced."""
        with open(self.path, "rb") as file:
            file.seek(offset_bytes)
            return file.read().decode("utf-8", errors="replace")


def stream_name(function: Function, instance_id: str) -> str:
    """`2026/01/31/[$LATEST]<id>`, as in CloudWatch."""
    return f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{function.version}]{instance_id}"


def init_start(function: Function, python: str, sandboxed: bool) -> str:
    """The line before an instance starts; it says which Python of this machine runs it, how, and where."""
    version = function.runtime.removeprefix("python")
    where = "in a sandbox" if sandboxed else "not in a sandbox"
    how = f", {emulation.HEADING}" if emulation.is_emulated(function.architecture) else ""
    return f"INIT_START Runtime Version: python:{version}.localaws (CPython at {python}{how}, {where})"


def init_report(init_ms: float, phase: str, fault: Fault) -> str:
    """The line after a start that failed."""
    return f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}\tStatus: {fault.status}{_error_type(fault)}"


def report(
    function: Function, request_id: str, duration_ms: float, init_ms: float | None, memory_mb: int, fault: Fault | None
) -> str:
    """The REPORT line. A cold start's INIT phase is billed too, since August 2025."""
    billed_ms = math.ceil(duration_ms + (init_ms or 0.0))
    line = f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\tBilled Duration: {billed_ms} ms"
    line += f"\tMemory Size: {function.memory_mb} MB\tMax Memory Used: {memory_mb} MB"
    if init_ms is not None:
        line += f"\tInit Duration: {init_ms:.2f} ms"
    if fault is not None:
        line += f"\tStatus: {fault.status}{_error_type(fault)}"
    return line


def _error_type(fault: Fault) -> str:
    return "" if fault.status == "timeout" else f"\tError Type: {fault.logged_type or fault.error_type}"
