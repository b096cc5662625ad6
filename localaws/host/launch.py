"""Starts an instance's process: in a sandbox as Lambda lays it out, or, where there is none, as any other process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from layers.pythons import Interpreter
from layers.sandbox.view import OPT, RUNTIME, TASK, View
from localaws.host.environment import Places, function_environment
from localaws.host.function import Function
from localaws.host.layout import Tree
from localaws.host.logs import LogStream
from localaws.host.process import ConfinedProcess, FunctionProcess, UnconfinedProcess
from localaws.host.relay import Relay, ports_of
from localaws.host.runtime_api import RuntimeApi

_OPTIONS = ("-s", "-S", "-P", "-B")
"""No packages of the user, of the interpreter or of the current directory, and no bytecode written: Lambda's disk is
read-only, so that a second cold start compiles again there, too."""
_API_PORT = 9001
"""Lambda's own, unless the function's environment names it."""
_PRELOADED = "/run/preload"


@dataclass(frozen=True)
class Additions:
    """What every instance of a host gets beyond what its function brings."""

    preload: tuple[Path, ...] = ()
    """Shared objects, appended to the function's LD_PRELOAD."""
    environment: Mapping[str, str] = field(default_factory=dict)
    read_only: Mapping[str, Path] = field(default_factory=dict)
    """Files and folders that a sandbox shows, path inside to path outside; nothing shows them without one."""


class Started(NamedTuple):
    """A process that runs, or waits for its `begin`, and the servers of this machine that it may reach."""

    process: FunctionProcess
    api: RuntimeApi
    relays: tuple[Relay, ...] = ()

    def close(self) -> None:
        """End the process, then its servers. Not to be called twice."""
        self.process.kill()
        self.api.close()
        for relay in self.relays:
            relay.close()


@dataclass(frozen=True)
class Installation:
    """A function's files with what runs them."""

    function: Function
    tree: Tree
    interpreter: Interpreter
    packages: Path
    additions: Additions = Additions()
    sandboxed: bool = False

    def start(self, log: LogStream, temporary: Path) -> Started:
        """Start one instance's process; raises SandboxFailed."""
        return self._confined(log) if self.sandboxed else self._unconfined(log, temporary)

    def _unconfined(self, log: LogStream, temporary: Path) -> Started:
        api = RuntimeApi()
        places = Places(self.tree.task, self.tree.opt, self.packages, temporary)
        environment = self._environment(places, api.address, log, tuple(map(str, self.additions.preload)))
        program = self._program(self.interpreter.command)
        return Started(UnconfinedProcess(program, environment, self.tree.task, log.path), api)

    def _confined(self, log: LogStream) -> Started:
        libraries = {f"{_PRELOADED}/{library.name}": library for library in self.additions.preload}
        shown = {TASK: self.tree.task, OPT: self.tree.opt, RUNTIME: self.packages}
        read_only = {**self.interpreter.read_only, **shown, **libraries, **self.additions.read_only}
        relayed = ports_of(self.function.environment)
        api_port = next(port for port in range(_API_PORT, 65536) if port not in relayed)
        places = Places(Path(TASK), Path(OPT), Path(RUNTIME))
        environment = self._environment(places, f"127.0.0.1:{api_port}", log, tuple(libraries))
        view = View(read_only, self.function.ephemeral_storage_mb, TASK)
        program = self._program(self.interpreter.sandboxed_command)
        process = ConfinedProcess(view, program, environment, (api_port, *relayed), log.path)
        relays = tuple(Relay(process.listening[port], port) for port in relayed)
        return Started(process, RuntimeApi(process.listening[api_port]), relays)

    def _program(self, python: tuple[str, ...]) -> list[str]:
        return [*python, *_OPTIONS, "-m", "awslambdaric", self.function.handler]

    def _environment(self, places: Places, api: str, log: LogStream, preload: tuple[str, ...]) -> dict[str, str]:
        environment = {**function_environment(self.function, places, api, log.name), **self.additions.environment}
        own = environment.get("LD_PRELOAD")
        preloaded = ":".join([*([own] if own else []), *preload])
        return self.interpreter.environment({**environment, "LD_PRELOAD": preloaded} if preload else environment)
