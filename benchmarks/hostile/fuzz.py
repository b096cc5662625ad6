"""Mutants by the thousand, in processes whose crash is a finding."""

import base64
import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.hostile.processes import Child, Crash, in_turn
from localaws.processor.mask import Shown

PART = 250
"""Mutants between two signs of progress."""
SEED_BYTES = 20_000
"""Larger files are no seeds: a mutant of them takes too long."""
MOST_SHOWN = 20


class Finding(NamedTuple):
    """A mutant that was not handled: `make hostile` makes it again from kind, seed and number."""

    kind: str
    seed: int
    number: int
    fault: str
    data: bytes

    def shown(self) -> str:
        """One line, with the bytes in base64."""
        text = base64.b64encode(self.data).decode()
        return f"{self.kind}, seed {self.seed}, number {self.number}: {self.fault}: {text[:2000]}"


class Fuzzed(NamedTuple):
    """The outcome for one kind."""

    kind: str
    mutants: int
    accepted: int
    seconds: float
    findings: list[Finding]


def fuzz(
    kind: str, seeds: list[Path], seed: int, mutants: int, processes: int, shown: Shown, report: Callable[[str], None]
) -> Fuzzed:
    """Try the first `mutants`; `report` gets the number a second as it goes."""
    began = time.monotonic()
    counted, accepted = itertools.count(PART, PART), 0
    findings: list[Finding] = []
    lock = threading.Lock()
    named = [str(path) for path in seeds if 0 < path.stat().st_size <= SEED_BYTES] if kind == "pictures" else []
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        numbers = itertools.count()

        def make() -> "Tried":
            progress = Path(scratch, f"progress-{next(numbers)}")
            progress.write_bytes(bytes(8))
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.hostile.mutator", kind, str(progress), *named]
            return Tried(command, progress, shown.process_environment())

        def work(child: Child, first: int) -> None:
            nonlocal accepted
            assert isinstance(child, Tried)
            found, good = child.try_all(kind, seed, first, min(PART, mutants - first))
            with lock:
                findings.extend(found)
                accepted += good
                done = min(next(counted), mutants)
                if done % (PART * 40) == 0 or done == mutants:
                    report(f"{kind}: {done:,} mutants, {done / (time.monotonic() - began):,.0f} a second")

        in_turn(list(range(0, mutants, PART)), make, work, processes)
    return Fuzzed(kind, mutants, accepted, time.monotonic() - began, findings)


class Tried(Child):
    """A process of `mutator`. It goes on behind a mutant that ended it."""

    def __init__(self, command: list[str], progress: Path, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(command, 120, environment)
        self._progress = progress

    def try_all(self, kind: str, seed: int, first: int, count: int) -> tuple[list[Finding], int]:
        """The findings among the mutants `first` to `first + count`, and how many were accepted."""
        findings, accepted, end = list[Finding](), 0, first + count
        while first < end:
            try:
                given = self.ask({"seed": seed, "first": first, "count": end - first})
            except Crash as crash:
                number = int.from_bytes(self._progress.read_bytes(), "little")
                findings.append(Finding(kind, seed, number, f"crash: {crash}", b""))
                first = max(number, first) + 1
                continue
            accepted += given["accepted"]
            findings += [
                Finding(kind, seed, one["number"], one["fault"], bytes.fromhex(one["hex"])) for one in given["findings"]
            ]
            break
        return findings, accepted
