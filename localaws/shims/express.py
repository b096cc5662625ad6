"""Express children of a Distributed Map, which end after five minutes; moto knows none and runs standard ones."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSeconds
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
    DistributedIterationComponent,
)
from moto.stepfunctions.parser.asl.eval.program_state import ProgramTimedOut


def patches(limit_s: float) -> Iterator[Any]:
    """What to enter while state machines run; a component that is express has `is_express`."""
    standard = DistributedIterationComponent._get_iteration_program

    def program_of(component: Any) -> Any:
        program = standard(component)
        return _Express(program, limit_s) if getattr(component, "is_express", False) else program

    yield mock.patch.object(DistributedIterationComponent, "_get_iteration_program", program_of)


class _Express(Program):  # type: ignore[misc]
    """A child's program with a limit of time, above which it fails as on AWS."""

    def __init__(self, program: Any, limit_s: float) -> None:
        limit = TimeoutSeconds(timeout_seconds=limit_s)
        super().__init__(program.query_language, program.start_at, program.states, limit, program.comment)
        self._limit_s = limit_s

    def eval(self, env: Any) -> None:
        """Run it; moto would take one that timed out for one that succeeded."""
        super().eval(env)
        if isinstance(env.program_state(), ProgramTimedOut):
            cause = f"an express execution may take {self._limit_s:g} seconds"
            env.set_error({"error": "States.Timeout", "cause": cause})
