"""Measures models in processes that are shown different processors, and that take turns."""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from localaws.processor.mask import Shown

WORKER = ("-m", "benchmarks.inception.worker")
Times = dict[str, dict[str, dict[int, float]]]
"""Median ms by the level that was shown, the model and the number of threads."""


def measure(shown: Sequence[Shown], models: Mapping[str, Path], threads: Sequence[int], turns: Iterable[int]) -> Times:
    """In each turn every process measures every model once; one process measures at a time."""
    runs: dict[str, list[list[list[float]]]] = {each.level: [] for each in shown}
    with ExitStack() as stack:
        processes = {each.level: stack.enter_context(_Process(each, models, threads)) for each in shown}
        for _ in turns:
            for level, process in processes.items():
                runs[level].append(process.turn())
    return {
        level: {
            model: {count: statistics.median(run[i][j] for run in found) for i, count in enumerate(threads)}
            for j, model in enumerate(models)
        }
        for level, found in runs.items()
    }


class _Process:
    def __init__(self, shown: Shown, models: Mapping[str, Path], threads: Sequence[int]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *WORKER, ",".join(map(str, threads)), *map(str, models.values())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=shown.process_environment(),
            cwd=Path(__file__).parents[2],
        )

    def __enter__(self) -> "_Process":
        self._process.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        if exc[0] is not None:
            self._process.kill()
        self._process.__exit__(*exc)  # closes its input, which ends it

    def turn(self) -> list[list[float]]:
        """A list for each number of threads: the ms of each model."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a measuring process ended with {self._process.wait()}: run its command to see why")
        times: list[list[float]] = json.loads(line)
        return times
