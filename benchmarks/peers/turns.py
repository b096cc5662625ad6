"""Measures models in processes of their engines' own Pythons, shown different processors, which take turns."""

import itertools
import json
import statistics
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.peers.models import Model
from localaws.processor.mask import Shown

PROJECT = Path(__file__).parents[2]
WORKER = ("-m", "benchmarks.peers.worker")
PAUSE_S = 0.02
"""Between two processes: an engine's threads wait for more work for some milliseconds before they sleep."""
Times = dict[str, dict[str, dict[int, float]]]
"""Median ms by the level that was shown, the model's name and the number of threads."""


def measure(
    shown: Sequence[Shown], models: Sequence[Model], threads: Sequence[int], pictures: Path, turns: Iterable[int]
) -> Times:
    """In each turn every process measures each of its models once; one process measures at a time."""
    by_engine = [list(group) for _, group in itertools.groupby(models, lambda m: (m.runner, m.python, m.judged))]
    times: Times = {each.level: {model.name: {} for model in models} for each in shown}
    with ExitStack() as stack:
        processes = [
            (each, group, number, stack.enter_context(_Process(each, group, number, group[0].judged or pictures)))
            for number in threads
            for group in by_engine
            for each in shown
        ]
        runs: list[list[list[float]]] = [[] for _ in processes]
        for _ in turns:
            for run, (*_, process) in zip(runs, processes, strict=True):
                run.append(process.turn())
                time.sleep(PAUSE_S)
    for run, (each, group, number, _process) in zip(runs, processes, strict=True):
        for model, found in zip(group, zip(*run, strict=True), strict=True):
            times[each.level][model.name][number] = statistics.median(found)
    return times


class _Process:
    def __init__(self, shown: Shown, models: Sequence[Model], threads: int, pictures: Path) -> None:
        self._what = f"{models[0].engine}, {threads} threads, {shown.level}"
        paths = [str(model.path) for model in models]
        self._process = subprocess.Popen(
            [str(models[0].python), *WORKER, models[0].runner, str(threads), str(pictures), *paths],
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

    def turn(self) -> list[float]:
        """The ms of each model."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"error: {self._what}: the measuring process ended with {self._process.wait()}")
        times: list[float] = json.loads(line)
        return times
