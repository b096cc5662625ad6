"""The instances of this machine: lent to one event each, most recently used first, never more than `max_instances`."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from localaws.errors import HostClosed, TooManyRequests
from localaws.host.function import Function
from localaws.host.instance import Instance

_CLOSE_S = 5.0


class Pool:
    """Safe to share between threads.

    Two kinds of limits differ. A function's reserved concurrency and the account's are limits of AWS: one more event
    is refused. The number of instances is a limit of this machine: one more event waits, and idle instances of other
    functions are ended.
    """

    def __init__(self, max_instances: int, account_concurrency: int | None = None) -> None:
        self.max_instances, self._account_concurrency = max_instances, account_concurrency
        self._changed = threading.Condition()
        self._idle: list[Instance] = []
        self._busy: list[Instance] = []
        self._closed = False

    @contextmanager
    def lend(self, function: Function, create: Callable[[], Instance]) -> Iterator[Instance]:
        """An instance for one event; raises TooManyRequests or HostClosed."""
        instance = self._take(function, create)
        try:
            yield instance
        finally:
            self._give_back(instance)

    def live(self) -> list[Instance]:
        """Every instance whose process runs, busy ones first."""
        with self._changed:
            return [instance for instance in self._busy + self._idle if instance.pid is not None]

    def busy(self) -> list[Instance]:
        """The instances that are lent, and whose process runs."""
        with self._changed:
            return [instance for instance in self._busy if instance.pid is not None]

    def stop_idle(self, name: str | None = None) -> None:
        """End the idle instances of a function, or all: the next event is a cold start."""
        self._retire(lambda instance: name in (None, instance.function.name))

    def close(self) -> None:
        """End every instance; events that run fail. Does nothing the second time."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
            self._changed.notify_all()
        for instance in busy:
            instance.kill()
        for instance in idle:
            instance.stop()
        with self._changed:  # the thread that waits for a busy instance's answer still writes the end of its log
            self._changed.wait_for(lambda: not self._busy, timeout=_CLOSE_S)

    def _take(self, function: Function, create: Callable[[], Instance]) -> Instance:
        self._retire(lambda instance: instance.function.name == function.name and instance.function != function)
        self._retire(lambda instance: not instance.usable)
        with self._changed:
            while True:
                if self._closed:
                    raise HostClosed("the Lambda host is closed: start it again")
                self._check_concurrency(function)
                instance = self._pick_idle(function) or self._make_room(create)
                if instance is not None:
                    self._busy.append(instance)
                    return instance
                self._changed.wait()

    def _check_concurrency(self, function: Function) -> None:
        running = sum(instance.function.name == function.name for instance in self._busy)
        if function.reserved_concurrency is not None and running >= function.reserved_concurrency:
            raise TooManyRequests(
                f"{function.name}: {running} instances run, as many as its reserved concurrency: try again later"
            )
        if self._account_concurrency is not None and len(self._busy) >= self._account_concurrency:
            raise TooManyRequests(f"{len(self._busy)} instances run, as many as the account allows: try again later")

    def _pick_idle(self, function: Function) -> Instance | None:
        for instance in reversed(self._idle):
            if instance.function == function and instance.usable:
                self._idle.remove(instance)
                return instance
        return None

    def _make_room(self, create: Callable[[], Instance]) -> Instance | None:
        if len(self._idle) + len(self._busy) >= self.max_instances:
            if not self._idle:
                return None
            oldest = min(self._idle, key=lambda instance: instance.last_used)
            self._idle.remove(oldest)
            oldest.stop()
        return create()

    def _give_back(self, instance: Instance) -> None:
        instance.last_used = time.monotonic()
        with self._changed:
            self._busy.remove(instance)
            keep = instance.usable and not self._closed
            if keep:
                self._idle.append(instance)
            self._changed.notify_all()
        if not keep:
            instance.stop()

    def _retire(self, unwanted: Callable[[Instance], bool]) -> None:
        with self._changed:
            retired = [instance for instance in self._idle if unwanted(instance)]
            self._idle = [instance for instance in self._idle if instance not in retired]
        for instance in retired:
            instance.stop()
