"""Measures configurations: in each turn, one cold start and some warm requests of every configuration.

The requests follow one another without a pause. A small function that was idle starts with the quota of a whole
period and answers sooner. How much sooner depends on the length of the period, which AWS does not publish. If
the bill matters, functions are busy, and then they get only their share.
"""

import json
import os
import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from benchmarks.tune.plan import Configuration
from localaws.host.function import Function
from localaws.host.invocation import Result
from localaws.host.lambda_host import LambdaHost

WARM_PER_TURN = 8


@dataclass
class Samples:
    """The samples of one configuration, in ms: one item for each request or cold start."""

    init_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    """The first request after INIT, which loads the model."""
    warm_ms: list[float] = field(default_factory=list)
    inference_ms: list[float] = field(default_factory=list)
    """Inference of each warm request, as the response states it."""
    disturbed_ms: list[float] = field(default_factory=list)
    """Disturbance of each warm request: its wait for a processor that other programs used, and its way to the app and
    back, which also takes longer on a busy machine."""
    memory_mb: int = 0
    unfit: str | None = None
    """Why the configuration cannot run, or None."""

    @property
    def quiet(self) -> list[int]:
        """Indices of the warm requests that count: the quarter of the turns that other programs disturbed least.

        Whole turns are chosen, not single requests: a request that is stopped leaves more quota to the next one, so
        that the least disturbed single requests would be those that had more quota.
        """
        turns = [range(at, at + WARM_PER_TURN) for at in range(0, len(self.warm_ms), WARM_PER_TURN)]
        turns.sort(key=lambda turn: sum(self.disturbed_ms[index] for index in turn))
        return [index for turn in turns[: max(1, len(turns) // 4)] for index in turn]


Configure = Callable[[Function, Configuration], Function]


class Measurement:
    """Runs configurations of one function on a host that has one instance."""

    def __init__(self, host: LambdaHost, function: Function, configure: Configure, seed: int = 0) -> None:
        self._host, self._function, self._configure = host, function, configure
        self._random = random.Random(seed)
        self.samples: dict[Configuration, Samples] = {}

    def turn(self, configuration: Configuration, event: bytes) -> None:
        """One cold start and `WARM_PER_TURN` warm requests; a configuration that did not fit is skipped."""
        samples = self.samples.setdefault(configuration, Samples())
        if samples.unfit is not None:
            return
        self._host.stop_idle_instances()
        function = self._configure(self._function, configuration)
        for number in range(1 + WARM_PER_TURN):
            result = self._host.invoke(function, event)
            samples.memory_mb = max(samples.memory_mb, result.max_memory_mb)
            if result.function_error is not None:
                samples.unfit = _reason(result)
                return
            _keep(samples, result, first=number == 0)

    def run(self, events: Mapping[Configuration, bytes], turns: Iterable[int]) -> dict[Configuration, Samples]:
        """Measure every configuration once in each turn, in random order."""
        for _ in turns:
            order = list(events)
            self._random.shuffle(order)
            for configuration in order:
                self.turn(configuration, events[configuration])
        return self.samples


def go_first() -> None:
    """Give this process, but not its children, priority over all others, if that is allowed.

    It stands between the function and the clock, so it must not wait for other programs.
    """
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def _keep(samples: Samples, result: Result, first: bool) -> None:
    answer = _body(result)
    if first:
        assert result.init_ms is not None
        samples.init_ms.append(result.init_ms)
        samples.first_ms.append(result.duration_ms)
    else:
        samples.warm_ms.append(result.duration_ms)
        samples.inference_ms.append(answer["timing_ms"]["inference"])
        samples.disturbed_ms.append(result.crowded_ms + result.duration_ms - answer["timing_ms"]["total"])


def _body(result: Result) -> Any:
    answer: Any = result.json()
    if answer["statusCode"] != 200:
        raise RuntimeError(f"the function answers {answer['statusCode']}: {answer['body']}")
    return json.loads(answer["body"])


def _reason(result: Result) -> str:
    if "Runtime.OutOfMemory" in result.log:
        return f"does not fit: {result.max_memory_mb} MB were needed"
    return str(json.loads(result.payload).get("errorMessage", "failed"))
