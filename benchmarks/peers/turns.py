"""Measures models in processes of their engines' own Pythons, shown different processors, which take turns.

Each model has a process, as in a function. Of ten models in one process, some took a fifth longer than alone.
"""

import statistics
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.peers.models import Model
from localaws.processor.mask import Shown

PROJECT = Path(__file__).parents[2]
WORKER = ("-m", "benchmarks.peers.worker")
PAUSE_S = 0.02
"""Between two processes: an engine's threads wait for more work for some milliseconds before they sleep."""


class Timed(NamedTuple):
    """Of one inference, in ms. On a machine that others use as well, only the fastest of two models compare."""

    median: float
    fastest: float


Times = dict[str, dict[str, dict[int, Timed]]]
"""By the level that was shown, the model's name and the number of threads."""


def measure(
    shown: Sequence[Shown], models: Sequence[Model], threads: Sequence[int], pictures: Path, turns: Iterable[int]
) -> Times:
    """In each turn every process measures one inference; one process measures at a time."""
    times: Times = {each.level: {model.name: {} for model in models} for each in shown}
    with ExitStack() as stack:
        processes = [
            (each, model, number, stack.enter_context(_Process(each, model, number, model.judged or pictures)))
            for number in threads
            for model in models
            for each in shown
        ]
        runs: list[list[float]] = [[] for _ in processes]
        for _ in turns:
            for run, (*_, process) in zip(runs, processes, strict=True):
                run.append(process.turn())
                time.sleep(PAUSE_S)
    for run, (each, model, number, _process) in zip(runs, processes, strict=True):
        times[each.level][model.name][number] = Timed(statistics.median(run), min(run))
    return times


class _Process:
    def __init__(self, shown: Shown, model: Model, threads: int, pictures: Path) -> None:
        self._what = f"{model.name}, {threads} threads, {shown.level}"
        self._process = subprocess.Popen(
            [str(model.python), *WORKER, model.runner, str(threads), str(pictures), str(model.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=shown.process_environment(),
            cwd=PROJECT,
        )

    def __enter__(self) -> "_Process":
        self._process.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        if exc[0] is not None:
            self._process.kill()
        self._process.__exit__(*exc)  # closes its input, which ends it

    def turn(self) -> float:
        """The ms of one inference."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"error: {self._what}: the measuring process ended with {self._process.wait()}")
        return float(line)
