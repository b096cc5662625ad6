"""Processor shares without any privilege: a process that has spent its quota is stopped until the next period.

The arithmetic is that of CFS bandwidth control: a quota that is not spent is lost, and one that is overspent is taken
off the next. It is checked every half millisecond, and so overspent by about that much. Only the process itself
counts, though its children are stopped with it.
"""

import contextlib
import os
import signal
import threading
import time

from localaws.processor.share import PERIOD_US, Share, quota_us

_LOOK_EVERY_S = 0.0005


class DutyCycle:
    """Watches each process from its own thread."""

    name = f"SIGSTOP and SIGCONT (a duty cycle of {PERIOD_US // 1000} ms), since no cgroup can be made"

    def admit(self, pid: int, vcpus: float) -> Share:
        """Watch the process, which must lead its group."""
        return _Watched(pid, vcpus)


class _Watched:
    def __init__(self, pid: int, vcpus: float) -> None:
        self._pid = pid
        self._quota_s = quota_us(vcpus) / 1e6
        self._stopped_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"duty-cycle-{pid}", daemon=True)
        self._thread.start()

    def resize(self, vcpus: float) -> None:
        self._quota_s = quota_us(vcpus) / 1e6

    def stopped_ms(self) -> float:
        return self._stopped_s * 1000

    def release(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        with contextlib.suppress(OSError):  # until the process is gone
            used_s, left_s = self._used_s(), self._quota_s
            period_ends = time.monotonic() + PERIOD_US / 1e6
            while not self._ended.wait(_LOOK_EVERY_S):
                now_s = self._used_s()
                left_s, used_s = left_s - (now_s - used_s), now_s
                if left_s <= 0:
                    self._stop_until(period_ends)
                while time.monotonic() >= period_ends:
                    period_ends += PERIOD_US / 1e6
                    left_s = min(left_s, 0.0) + self._quota_s

    def _stop_until(self, moment: float) -> None:
        began = time.monotonic()
        os.killpg(self._pid, signal.SIGSTOP)
        self._ended.wait(max(0.0, moment - began))
        self._stopped_s += time.monotonic() - began
        os.killpg(self._pid, signal.SIGCONT)

    def _used_s(self) -> float:
        """Processor time of all its threads; the clock's id is made from the pid as clock_getcpuclockid(3) does."""
        return time.clock_gettime((~self._pid << 3) | 2)
