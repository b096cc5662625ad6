"""The first process of a sandbox: opens its ports, starts the program, ends with it. It imports nothing of `layers`.

    python -I -S -B start.py FD PORT... -- PROGRAM...

FD is a Unix socket (SOCK_SEQPACKET) to the process outside. A socket belongs to the network namespace in which it
was made: the listening sockets go out as file descriptors, and what accepts there answers in here. Messages:

    out  the listening sockets, in the order of the ports; the kernel adds the id of this process
    out  one byte, when the program's process exists; the kernel adds its id
    in   the program's environment, NAME=value, separated by null bytes: now it runs
    out  how it ended, as waitpid(2) says it, in decimal digits

When this process ends, the kernel ends all others of the sandbox (pid_namespaces(7)).
"""

import os
import select
import signal
import socket
import sys

MAX_ENVIRONMENT_BYTES = 128 * 1024


def main(fd: int, ports: list[int], program: list[str]) -> None:
    """Run the program until it ends, or until the process outside does."""
    os.set_inheritable(fd, False)
    control = socket.socket(fileno=fd)
    waking, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    listening = [listen(port) for port in ports]
    socket.send_fds(control, [b"."], [one.fileno() for one in listening])
    for one in listening:
        one.close()
    child = os.fork()
    if child == 0:
        run(control, program)
    status = wait(child, control, waking)
    if status is not None:
        control.send(str(status).encode())


def listen(port: int) -> socket.socket:
    """A listening socket on this sandbox's loopback."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(("127.0.0.1", port))
    opened.listen(128)
    return opened


def run(control: socket.socket, program: list[str]) -> None:
    """Become the program when the environment comes; never returns."""
    try:
        os.setsid()
        control.send(b".")
        received = control.recv(MAX_ENVIRONMENT_BYTES)
        for changed in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(changed, signal.SIG_DFL)  # Python ignores SIGPIPE, and nohup SIGHUP
        pairs = [pair.partition(b"=") for pair in received.split(b"\0") if pair]
        os.execve(program[0], program, {name: value for name, _, value in pairs})
    except OSError as error:
        print(f"{program[0]} does not start: {error}", file=sys.stderr, flush=True)
    os._exit(127)


def wait(child: int, control: socket.socket, waking: socket.socket) -> int | None:
    """How the child ended; None if the process outside ended first. Orphans of the sandbox are reaped, too."""
    outside = select.poll()
    outside.register(control, 0)  # only that it hangs up: what can be read is for the child
    outside.register(waking, select.POLLIN)
    while True:
        events = dict(outside.poll())
        if control.fileno() in events:
            return None
        waking.recv(64)
        while (ended := reap()) is not None:
            pid, status = ended
            if pid == child:
                return status


def reap() -> tuple[int, int] | None:
    """The next process that ended, and how; None if there is none."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


if __name__ == "__main__":
    dashes = sys.argv.index("--")
    main(int(sys.argv[1]), [int(port) for port in sys.argv[2:dashes]], sys.argv[dashes + 1 :])
