"""A program in a sandbox, and what the process outside needs of it: its sockets, its id, its end."""

import array
import contextlib
import os
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from layers.errors import SandboxError
from layers.pythons import own
from layers.sandbox.bubblewrap import command
from layers.sandbox.view import View

_START = Path(__file__).with_name("start.py")
_PYTHON, _SCRIPT = "/run/python", "/run/start.py"
"""Where the sandbox shows the Python that runs start.py, always this program's own, and the script."""
_START_S = 60.0
_CREDENTIALS = struct.Struct("3i")


class SandboxedProcess:
    """Waits, once made, in its own process for `start`; then it is the program.

    Source of the handing over: unix(7), SCM_CREDENTIALS and SCM_RIGHTS.
    """

    def __init__(self, view: View, program: Sequence[str], ports: Sequence[int], output: BinaryIO) -> None:
        """`ports` are those of the sandbox's loopback on which `listening` listens; raises SandboxError."""
        self._lock = threading.Lock()
        self._status: int | None = None
        executable = own().path.resolve()
        places = {**view.read_only, _PYTHON: executable.parents[1], _SCRIPT: _START}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._control.settimeout(_START_S)
        with theirs:
            python = [f"{_PYTHON}/{executable.relative_to(executable.parents[1])}", "-I", "-S", "-B", _SCRIPT]
            start = [*python, str(theirs.fileno()), *map(str, ports), "--", *program]
            options = ["--as-pid-1", "--setenv", "LD_LIBRARY_PATH", f"{_PYTHON}/lib"]
            self._bwrap = subprocess.Popen(
                command(View(places, view.tmp_mb, view.folder), start, options),
                env={}, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        self.listening: dict[int, socket.socket] = {}
        """By port; the caller closes them."""
        try:
            first, sockets = self._receive(len(ports))
            self._first = os.pidfd_open(first)
            self.listening = dict(zip(ports, sockets, strict=True))
            self.pid, _ = self._receive(0)
            """As this process sees it; the leader of its session."""
        except (OSError, EOFError, ValueError) as error:
            self._bwrap.kill()
            self._bwrap.wait()
            self._control.close()
            raise SandboxError(f"the sandbox did not start ({error}): its output says why") from error

    def start(self, environment: Mapping[str, str]) -> None:
        """Let the program run."""
        pairs = (f"{name}={value}".encode() for name, value in environment.items())
        with contextlib.suppress(OSError):  # killed meanwhile
            self._control.send(b"\0".join(pairs) or b"\0")

    @property
    def alive(self) -> bool:
        """Whether anything of it still runs."""
        return self._bwrap.poll() is None

    def kill(self) -> None:
        """End all that runs in the sandbox, and wait for it. Does nothing if it has ended."""
        with self._lock:
            self._end_first()
        self.exit_code()

    def exit_code(self) -> int:
        """Wait for the end: the exit status, or the negative number of the signal that ended the program."""
        self._bwrap.wait()
        with self._lock:
            if self._status is None:
                self._end_first()  # if bwrap itself was killed, the sandbox runs still
                told = b""
                with contextlib.suppress(ConnectionResetError):  # it was killed before it read its environment
                    told = self._control.recv(64)  # the other end is closed: this never waits
                self._status = os.waitstatus_to_exitcode(int(told)) if told else -signal.SIGKILL
                self._control.close()
                os.close(self._first)
        return self._status

    def _end_first(self) -> None:
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)

    def _receive(self, sockets: int) -> tuple[int, list[socket.socket]]:
        """The sender's process id, and the sockets that it sends."""
        descriptors = array.array("i")
        space = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(sockets * descriptors.itemsize)
        data, parts, _, _ = self._control.recvmsg(16, space)
        pid = 0
        for level, kind, content in parts:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                pid, _, _ = _CREDENTIALS.unpack(content)
            elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(content)
        if not data:
            raise EOFError("it ended at once")
        return pid, [socket.socket(fileno=descriptor) for descriptor in descriptors]
