"""One function instance: started at its first event, one event at a time, gone at its first fault."""

import signal
import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path

from localaws.host import emulation, logs
from localaws.host.invocation import Fault, Invocation, Result, error_type_of
from localaws.host.launch import Installation, Started
from localaws.host.process import exit_reason, queued_ms
from localaws.processor.memory import Memory, MemoryLimit, WatchedMemory, peak_mb
from localaws.processor.share import INIT_VCPUS, Processor, Share, WholeMachine, vcpus_of

INIT_LIMIT_S = 10.0
"""Of the INIT phase (AWS Lambda developer guide, "Understanding the Lambda execution environment lifecycle")."""
_LOOK_EVERY_S = 0.01
"""How often a running instance's memory, process and deadline are checked; an answer wakes at once."""


class Instance:
    """An execution environment. Not to be used by two threads at once; `kill` may come from any."""

    def __init__(
        self,
        installation: Installation,
        folder: Path,
        processor: Processor | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._installation, self.function = installation, installation.function
        self._time_factor = emulation.time_factor(self.function.architecture)
        self._timeout_s = self.function.timeout_s * self._time_factor
        self.id = uuid.uuid4().hex
        self.last_used = 0.0
        self._temporary = folder / f"tmp-{self.id}"
        self._temporary.mkdir()
        name = self.function.name
        self.log = logs.LogStream(folder / f"{name}-{self.id}.log", logs.stream_name(self.function, self.id))
        self._processor, self._memory = processor or WholeMachine(), memory or WatchedMemory()
        self._started: Started | None = None
        self._share: Share | None = None
        self._limit: MemoryLimit | None = None
        self._peak_mb = 0
        self._retired = False

    @property
    def usable(self) -> bool:
        """Whether it can take an event: not started yet, or running."""
        return not self._retired and (self._started is None or self._started.process.alive)

    @property
    def pid(self) -> int | None:
        """The process id, while there is a process."""
        process = self._started.process if self._started else None
        return process.pid if process and process.alive else None

    def invoke(self, payload: bytes, trace: str = "") -> Result | None:
        """Run one event. None if the instance had died before it fetched the event: try another instance."""
        invocation = Invocation(payload, self.function.arn, self._timeout_s, trace)
        log_offset_bytes = self.log.size_bytes
        init_ms, fault = self._initialise() if self._started is None else (None, None)
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
        if self._started is not None:
            self._started.process.kill()

    def stop(self) -> None:
        """End process and servers. Does nothing the second time."""
        self._retired = True
        self._end()

    def _initialise(self) -> tuple[float, Fault | None]:
        """The INIT phase. As on Lambda, one that fails is repeated once, within the function's time-out."""
        init_ms, fault = self._boot("init", INIT_LIMIT_S * self._time_factor)
        if fault is not None and not self._retired:
            again_ms, fault = self._boot("invoke", self._timeout_s)
            init_ms += again_ms
        return init_ms, fault

    def _boot(self, phase: str, limit_s: float) -> tuple[float, Fault | None]:
        """One try, timed from the start of the function's own process: what makes its sandbox is not Lambda's INIT."""
        self._end()
        installation = self._installation
        self.log.write(logs.init_start(self.function, str(installation.interpreter.path), installation.sandboxed))
        self._started = started = installation.start(self.log, self._temporary)
        process, api = started.process, started.api
        vcpus = vcpus_of(self.function.memory_mb)
        try:
            self._limit = self._memory.admit(process.pid, self.function.memory_mb)
            self._share = self._processor.admit(process.pid, max(vcpus, INIT_VCPUS))
        except OSError:
            self._end()
            raise
        process.begin()
        if self._retired:  # another thread did so while there was no process to kill
            process.kill()
        fault = self._watch(started, api.initialised, process.began + limit_s)
        if fault is None and api.init_error is not None:
            fault = Fault(error_type_of(api.init_error), "", payload=api.init_error)
        self._share.resize(vcpus)
        init_ms = (time.monotonic() - process.began) * 1000
        if fault is not None:
            process.kill()
            self.log.write(logs.init_report(init_ms, phase, fault))
        return init_ms, fault

    def _crowded_ms(self) -> float:
        if self._started is None or self._share is None:
            return 0.0
        return queued_ms(self._started.process.pid) - self._share.stopped_ms()

    def _end(self) -> None:
        started, self._started = self._started, None
        if started is not None:
            started.close()
        if self._share is not None:
            self._share.release()
            self._share = None
        if self._limit is not None:
            self._limit.release()
            self._limit = None

    def _run(self, invocation: Invocation) -> Fault | None:
        started = self._started
        assert started is not None
        invocation.begin()
        started.api.hand_over(invocation)
        fault = self._watch(started, invocation.done, invocation.deadline)
        if fault is not None and fault.status == "timeout":
            started.process.kill()
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self.log.write(f"{stamp} {invocation.request_id} {fault.message}")
        elif fault is not None:
            self.log.write(f"RequestId: {invocation.request_id} Error: {fault.message}\n{fault.error_type}")
        return fault

    def _watch(self, started: Started, done: threading.Event, deadline: float) -> Fault | None:
        """Wait until `done`; gives a fault if the process ends, or has to be ended, before that."""
        process = started.process
        while True:
            finished = done.wait(_LOOK_EVERY_S)
            self._peak_mb = max(self._peak_mb, peak_mb(process.pid))
            if self._limit is not None and self._limit.exceeded(process.tmp_bytes()):
                process.kill()
                self._peak_mb = max(self._peak_mb, self.function.memory_mb)
                return Fault("Runtime.ExitError", exit_reason(-signal.SIGKILL), logged_type="Runtime.OutOfMemory")
            if finished:
                return None
            if not process.alive:
                return Fault("Runtime.ExitError", exit_reason(process.exit_code()))
            if time.monotonic() >= deadline:
                message = f"Task timed out after {self._timeout_s:.2f} seconds"
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
