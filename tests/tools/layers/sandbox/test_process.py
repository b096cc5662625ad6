"""A program in a sandbox: what it gets, how it ends, and that nothing of it is left."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from layers.errors import SandboxError
from layers.pythons import own
from layers.sandbox.bubblewrap import why_not
from layers.sandbox.process import SandboxedProcess
from layers.sandbox.view import View
from tests.support.paths import ROOT

LIMIT_S = 30


@pytest.fixture(autouse=True)
def needs_sandbox():
    if reason := why_not(own()):
        pytest.skip(reason)


@pytest.fixture
def output(tmp_path):
    with (tmp_path / "output").open("w+b") as file:
        yield file


@pytest.fixture
def make(output):
    """A process that waits for `start`."""
    made = []

    def make(*program, ports=()):
        made.append(SandboxedProcess(View({}), program, ports, output))
        return made[-1]

    yield make
    for process in made:
        process.kill()
        for listening in process.listening.values():
            listening.close()


def text(output):
    output.seek(0)
    return output.read().decode()


def wait_until_gone(pid):
    deadline = time.monotonic() + LIMIT_S
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"process {pid} runs still"
        time.sleep(0.02)


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -signal.SIGKILL), ("kill -11 $$", -signal.SIGSEGV)],
)
def test_how_it_ended(make, command, code):
    process = make("/bin/sh", "-c", command)
    process.start({})
    assert process.exit_code() == code
    assert process.exit_code() == code
    assert not process.alive


def test_it_gets_its_environment_and_no_other(make, output):
    process = make("/usr/bin/env")
    process.start({"NAME": "first\nsecond=", "OTHER": "grün"})
    assert process.exit_code() == 0
    assert text(output) == "NAME=first\nsecond=\nOTHER=grün\n"


def test_it_waits_for_its_start_and_is_the_process_that_was_announced(make, output):
    process = make("/bin/cat", "/proc/self/stat")
    before = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    assert b"start.py" in before
    assert os.getpgid(process.pid) == os.getsid(process.pid) == process.pid
    assert text(output) == ""
    process.start({})
    process.exit_code()
    assert text(output).startswith("2 (cat)")


def test_signals_are_as_a_program_expects_them(make, output):
    """Also under nohup. Signals 32 and 33 are the C library's own."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = make("/bin/grep", "^Sig[IB]", "/proc/self/status")
    finally:
        signal.signal(signal.SIGHUP, before)
    process.start({})
    process.exit_code()
    masks = [int(line.split()[1], 16) & ~(3 << 31) for line in text(output).splitlines()]
    assert masks == [0, 0]


def test_its_ports_are_heard_here_and_nowhere_else_on_this_machine(make):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = make("/bin/bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}; read line <&3; exit $line", ports=[port])
        process.start({})
        process.listening[port].settimeout(LIMIT_S)
        connection, _ = process.listening[port].accept()
        with connection:
            connection.sendall(b"5\n")
        assert process.exit_code() == 5


def test_what_it_started_ends_with_it(make):
    process = make("/bin/sh", "-c", "setsid sleep 600 & setsid sleep 600 & echo; exit 4")
    process.start({})
    assert process.exit_code() == 4
    wait_until_gone(process.pid)


def test_killing_ends_everything_at_once_and_again_does_nothing(make):
    process = make("/bin/sh", "-c", "sleep 600 & sleep 600")
    process.start({})
    process.kill()
    assert not Path(f"/proc/{process.pid}").exists()
    process.kill()
    assert process.exit_code() == -signal.SIGKILL


def test_it_ends_with_bubblewrap(make):
    process = make("/bin/sleep", "600")
    process.start({})
    os.kill(parent(parent(process.pid)), signal.SIGKILL)
    assert process.exit_code() == -signal.SIGKILL
    wait_until_gone(process.pid)


def test_one_that_never_started_can_be_killed(make):
    process = make("/bin/true")
    process.kill()
    process.start({})
    assert process.exit_code() == -signal.SIGKILL


def test_it_ends_with_the_program_that_made_it():
    code = (
        "import os, sys; from layers.sandbox.process import *\n"
        "made = SandboxedProcess(View({}), ['/bin/sleep', '600'], [], sys.stderr.buffer); made.start({})\n"
        "print(made.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    wait_until_gone(int(ended.stdout))


def test_it_does_not_end_with_the_thread_that_made_it(make):
    from threading import Thread

    made = []
    thread = Thread(target=lambda: made.append(make("/bin/sleep", "600")))
    thread.start()
    thread.join()
    made[0].start({})
    time.sleep(0.2)
    assert made[0].alive


def test_a_program_that_is_not_there(make, output):
    process = make("/nowhere")
    process.start({})
    assert process.exit_code() == 127
    assert "/nowhere does not start: [Errno 2]" in text(output)


def test_a_view_that_cannot_be_made(output):
    before = descriptors()
    with pytest.raises(SandboxError, match="the sandbox did not start"):
        SandboxedProcess(View({"/opt": Path("/nowhere")}), ["/bin/true"], [], output)
    assert "/nowhere" in text(output)
    assert descriptors() == before


def test_no_descriptor_is_left(make):
    before = descriptors()
    for _ in range(3):
        process = make("/bin/true", ports=[9001])
        process.start({})
        process.exit_code()
        process.listening[9001].close()
    assert descriptors() == before


def test_nothing_of_this_machine_but_its_system_is_shown(make, output):
    process = make("/bin/ls", "/", "/dev", "/etc", "/home", "/run")
    process.start({})
    process.exit_code()
    shown = set(text(output).split())
    assert shown >= {"null", "urandom", "passwd", "hosts", "tmp", "usr"}
    assert not shown & {"shm", "sys", "srv", "mnt", "media", "boot", "shadow", "machine-id", "tty", "pts"}
    assert os.path.basename(os.path.expanduser("~")) not in shown - {"root"}  # noqa: PTH111, PTH119
