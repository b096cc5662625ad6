"""The Lambda host: takes events for functions and runs them in instances on this machine."""

import atexit
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from layers.pythons import Interpreter
from layers.sandbox.bubblewrap import why_not
from layers.targets import local_target
from localaws.errors import HostClosed, TooManyRequests
from localaws.host import emulation, interpreters, packages
from localaws.host.function import Function
from localaws.host.instance import Instance
from localaws.host.invocation import Result
from localaws.host.launch import Additions, Installation
from localaws.host.layout import Trees
from localaws.host.pool import Pool
from localaws.processor import memory
from localaws.processor.share import Processor

ASYNC_RETRY_DELAYS_S = (1.0, 2.0)
"""Lambda repeats a failed asynchronous event twice, after one minute and after two; here sooner."""


class LambdaHost:
    """Runs functions; a context manager that ends every process it started.

    `max_instances` is how many processes run at once (default: two per CPU). `python` is the path of the Python
    that runs every function (default: the Python that its runtime names). `processor` limits each function to the
    share of the processor that its memory buys (default: no limit). Each instance runs in a sandbox, unless `sandbox`
    is false or this machine has none (`why_no_sandbox`). `additions` are what every instance gets.
    `account_concurrency` is the account's quota: an event above it is refused, where it would wait for an instance.

    A function for another processor runs emulated. `python` and `additions` are not for it: they are code for this
    machine's.
    """

    def __init__(
        self,
        max_instances: int | None = None,
        python: str | None = None,
        async_retry_delays_s: Sequence[float] = ASYNC_RETRY_DELAYS_S,
        processor: Processor | None = None,
        sandbox: bool = True,
        additions: Additions = Additions(),  # noqa: B008 - it is frozen
        account_concurrency: int | None = None,
    ) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="localaws-")
        self.folder = Path(self._scratch.name)
        """Unpacked functions and the log files; deleted when the host is closed."""
        self._trees = Trees(self.folder / "trees")
        self._pool = Pool(max_instances or 2 * (os.cpu_count() or 1), account_concurrency)
        self._python, self._processor, self._sandbox = python, processor, sandbox
        self.memory = memory.find()
        """What ends a function that uses more than its memory size."""
        self._additions = additions
        self._async_retry_delays_s = tuple(async_retry_delays_s)
        self._background = ThreadPoolExecutor(self._pool.max_instances, thread_name_prefix="localaws-async")
        self._closing = threading.Event()
        self._interpreters: dict[tuple[str, str], Interpreter] = {}
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def max_instances(self) -> int:
        """How many instances may exist at once."""
        return self._pool.max_instances

    def invoke(self, function: Function, payload: bytes, trace: str = "") -> Result:
        """Run one event and wait for its result, also of a function that fails. `trace` is its X-Amzn-Trace-Id.

        Raises BadPackage, PythonMissing, EmulatorMissing or PackagesMissing for a function that cannot be run here,
        TooManyRequests above its reserved concurrency or the account's, HostClosed.
        """
        while True:
            with self._pool.lend(function, self._creator(function)) as instance:
                result = instance.invoke(payload, trace)
            if result is not None:
                return result

    def invoke_async(
        self, function: Function, payload: bytes, on_result: Callable[[Result], None] | None = None, trace: str = ""
    ) -> "Future[Result | None]":
        """Queue one event; if it fails, it is tried again after each of `async_retry_delays_s`.

        The future holds the last try's result, or None if the host was closed before. `on_result` is
        called after every try.
        """
        return self._background.submit(self._try_repeatedly, function, payload, on_result or (lambda _: None), trace)

    def interpreter(self, runtime: str, architecture: str | None = None) -> Interpreter:
        """The Python that runs functions of this runtime and processor; raises PythonMissing or EmulatorMissing.

        Without a processor: this machine's.
        """
        key = runtime, architecture or local_target().arch
        if key not in self._interpreters:
            emulated = emulation.is_emulated(key[1])
            found = emulation.interpreter(runtime) if emulated else interpreters.find(self._python or runtime)
            self._interpreters[key] = found
        return self._interpreters[key]

    def why_no_sandbox(self, interpreter: Interpreter) -> str | None:
        """Why functions of this Python run in no sandbox, and what to do; None if they run in one."""
        return why_not(interpreter) if self._sandbox else "turned off"

    def instances(self) -> list[Instance]:
        """Every instance whose process runs, busy ones first."""
        return self._pool.live()

    def busy_instances(self) -> list[Instance]:
        """Those that work on an event now."""
        return self._pool.busy()

    def stop_idle_instances(self, function_name: str | None = None) -> None:
        """End idle instances, so that the next event of the function (or of any) is a cold start."""
        self._pool.stop_idle(function_name)

    def close(self) -> None:
        """End every process and delete the folder. Does nothing the second time."""
        if not self._closing.is_set():
            self._closing.set()
            self._pool.close()
            self._background.shutdown(wait=True, cancel_futures=True)
            self._scratch.cleanup()
            atexit.unregister(self.close)

    def _creator(self, function: Function) -> Callable[[], Instance]:
        """Do first what is slow the first time; what remains for the pool is quick."""
        if self._closing.is_set():
            raise HostClosed("the Lambda host is closed: start it again")
        tree = self._trees.of(function)
        interpreter = self.interpreter(function.runtime, function.architecture)
        folder = packages.install(interpreter)
        sandboxed = self.why_no_sandbox(interpreter) is None
        additions = Additions() if emulation.is_emulated(function.architecture) else self._additions
        installation = Installation(function, tree, interpreter, folder, additions, sandboxed)
        return lambda: Instance(installation, self.folder, self._processor, self.memory)

    def _try_repeatedly(
        self, function: Function, payload: bytes, on_result: Callable[[Result], None], trace: str
    ) -> Result | None:
        result: Result | None = None
        for delay_s in (0.0, *self._async_retry_delays_s):
            if self._closing.wait(delay_s):
                return result
            result = self._invoke_when_free(function, payload, trace)
            if result is None:
                return None
            on_result(result)
            if result.function_error is None:
                break
        return result

    def _invoke_when_free(self, function: Function, payload: bytes, trace: str) -> Result | None:
        """Wait for concurrency: an asynchronous event that finds none stays in Lambda's queue."""
        while not self._closing.is_set():
            try:
                return self.invoke(function, payload, trace)
            except TooManyRequests:
                self._closing.wait(0.1)
            except HostClosed:
                break
        return None
