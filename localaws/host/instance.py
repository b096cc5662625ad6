"""One function instance: started at its first event, one event at a time, gone at its first fault."""

import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path

from layers.pythons import Interpreter
from localaws.host import logs
from localaws.host.environment import function_environment
from localaws.host.function import Function
from localaws.host.invocation import Fault, Invocation, Result, error_type_of
from localaws.host.layout import Tree
from localaws.host.process import FunctionProcess
from localaws.host.runtime_api import RuntimeApi
from localaws.processor.share import INIT_VCPUS, Processor, Share, WholeMachine, vcpus_of

INIT_LIMIT_S = 10.0
"""Of the INIT phase (AWS Lambda developer guide, "Understanding the Lambda execution environment lifecycle")."""
_LOOK_EVERY_S = 0.01
"""How often a running instance's memory, process and deadline are checked; an answer wakes at once."""


class Instance:
    """An execution environment. Not to be used by two threads at once; `kill` may come from any."""

    def __init__(
        self,
        function: Function,
        tree: Tree,
        interpreter: Interpreter,
        packages: Path,
        folder: Path,
        processor: Processor | None = None,
    ) -> None:
        self.function = function
        self.id = uuid.uuid4().hex
        self.last_used = 0.0
        self._tree, self._interpreter, self._packages = tree, interpreter, packages
        self._temporary = folder / f"tmp-{self.id}"
        self._temporary.mkdir()
        self.log = logs.LogStream(folder / f"{function.name}-{self.id}.log", logs.stream_name(function, self.id))
        self._processor = processor or WholeMachine()
        self._process: FunctionProcess | None = None
        self._share: Share | None = None
        self._api: RuntimeApi | None = None
        self._peak_mb = 0
        self._retired = False

    @property
    def usable(self) -> bool:
        """Whether it can take an event: not started yet, or running."""
        return not self._retired and (self._process is None or self._process.alive)

    @property
    def pid(self) -> int | None:
        """The process id, while there is a process."""
        process = self._process
        return process.pid if process and process.alive else None

    def invoke(self, payload: bytes) -> Result | None:
        """Run one event. None if the instance had died before it fetched the event: try another instance."""
        invocation = Invocation(payload, self.function.arn, self.function.timeout_s)
        log_offset_bytes = self.log.size_bytes
        init_ms, fault = self._initialise() if self._process is None else (None, None)
        self.log.write(f"START RequestId: {invocation.request_id} Version: {self.function.version}")
        crowded_ms = self._crowded_ms()
        began = time.monotonic()
        fault = fault or self._run(invocation)
        duration_ms = (time.monotonic() - began) * 1000
        crowded_ms = max(0.0, self._crowded_ms() - crowded_ms)
        if fault is not None:
            self.stop()
            if init_ms is None and not invocation.fetched:
                return None
        return replace(self._conclude(invocation, fault, duration_ms, init_ms, log_offset_bytes), crowded_ms=crowded_ms)

    def kill(self) -> None:
        """End the process from outside, as a failing machine would; its present event fails."""
        self._retired = True
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """End process and server. Does nothing the second time."""
        self.kill()
        self._release_share()
        if self._api is not None:
            self._api.close()
            self._api = None

    def _initialise(self) -> tuple[float, Fault | None]:
        """The INIT phase. As on Lambda, one that fails is repeated once, within the function's time-out."""
        began = time.monotonic()
        fault = self._boot("init", INIT_LIMIT_S)
        if fault is not None and not self._retired:
            fault = self._boot("invoke", self.function.timeout_s)
        return (time.monotonic() - began) * 1000, fault

    def _boot(self, phase: str, limit_s: float) -> Fault | None:
        if self._api is not None:
            self._api.close()
        if self._process is not None:
            self._process.kill()
        self._release_share()
        began = time.monotonic()
        self._api = RuntimeApi()
        self.log.write(logs.init_start(self.function, str(self._interpreter.path)))
        self._process = FunctionProcess(
            self._interpreter, self.function.handler, self._environment(), self._tree.task, self.log.path
        )
        vcpus = vcpus_of(self.function.memory_mb)
        self._share = self._processor.admit(self._process.pid, max(vcpus, INIT_VCPUS))
        if self._retired:  # another thread did so while there was no process to kill
            self._process.kill()
        fault = self._watch(self._process, self._api.initialised, began + limit_s)
        if fault is None and self._api.init_error is not None:
            fault = Fault(error_type_of(self._api.init_error), "", payload=self._api.init_error)
        self._share.resize(vcpus)
        if fault is not None:
            self._process.kill()
            self.log.write(logs.init_report((time.monotonic() - began) * 1000, phase, fault))
        return fault

    def _crowded_ms(self) -> float:
        if self._process is None or self._share is None:
            return 0.0
        return self._process.queued_ms() - self._share.stopped_ms()

    def _release_share(self) -> None:
        if self._share is not None:
            self._share.release()
            self._share = None

    def _environment(self) -> dict[str, str]:
        assert self._api is not None
        return function_environment(
            self.function, self._tree, self._packages, self._api.address, self.log.name, self._temporary
        )

    def _run(self, invocation: Invocation) -> Fault | None:
        assert self._api is not None and self._process is not None
        invocation.begin()
        self._api.hand_over(invocation)
        fault = self._watch(self._process, invocation.done, invocation.deadline)
        if fault is not None and fault.status == "timeout":
            self._process.kill()
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self.log.write(f"{stamp} {invocation.request_id} {fault.message}")
        elif fault is not None:
            self.log.write(f"RequestId: {invocation.request_id} Error: {fault.message}\n{fault.error_type}")
        return fault

    def _watch(self, process: FunctionProcess, done: threading.Event, deadline: float) -> Fault | None:
        """Wait until `done`; gives a fault if the process ends, or has to be ended, before that."""
        while True:
            finished = done.wait(_LOOK_EVERY_S)
            self._peak_mb = max(self._peak_mb, process.peak_mb())
            if self._peak_mb > self.function.memory_mb:
                process.kill()
                return Fault("Runtime.ExitError", process.exit_reason(), logged_type="Runtime.OutOfMemory")
            if finished:
                return None
            if not process.alive:
                return Fault("Runtime.ExitError", process.exit_reason())
            if time.monotonic() >= deadline:
                message = f"Task timed out after {self.function.timeout_s:.2f} seconds"
                return Fault("Sandbox.Timedout", message, "timeout")

    def _conclude(
        self, invocation: Invocation, fault: Fault | None, duration_ms: float, init_ms: float | None, offset_bytes: int
    ) -> Result:
        request_id, used_mb = invocation.request_id, min(self._peak_mb, self.function.memory_mb)
        self.log.write(f"END RequestId: {request_id}")
        self.log.write(logs.report(self.function, request_id, duration_ms, init_ms, used_mb, fault))
        failed = fault is not None or invocation.error_type is not None
        return Result(
            request_id=request_id,
            payload=fault.answer(request_id) if fault else invocation.answer,
            function_error="Unhandled" if failed else None,
            log=self.log.since(offset_bytes),
            log_stream=self.log.name,
            duration_ms=duration_ms,
            init_ms=init_ms,
            max_memory_mb=self._peak_mb,
        )
