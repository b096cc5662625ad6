"""Compares the model with what 24 clients see of the app in `localaws`, on a few instances.

The model is fed by a calibration: one client alone, and for cold starts one client for each instance. It takes turns
with the run that is compared, because this machine's speed varies; no figure of that run goes into its prediction. Each
instance has the share of the processor that a small memory size buys, so that as many instances as are compared do not
disturb each other on two processors.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path as FilePath

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.peak import deployment
from benchmarks.peak.clients import send
from benchmarks.peak.closed import OUTCOMES, Clients, Seen, simulate_clients
from benchmarks.peak.deployment import MEMORY_MB, NO_THROTTLE, Deployed, Timed
from benchmarks.peak.durations import Durations
from benchmarks.peak.fleet import Bucket, Fleet
from benchmarks.peak.limits import FRONTS, FUNCTION_TIMEOUT_S
from benchmarks.peak.path import Path
from benchmarks.tune.__main__ import find_shares
from localaws.cloud.local_aws import LocalAws
from localaws.deploy.deployer import PROJECT
from localaws.host import interpreters
from localaws.host.masking import additions
from localaws.processor.mask import Shown

CLIENTS = Clients(number=24, seconds=10.0, pause_s=1.0)
ROUNDS = 3
"""Each begins with new instances: then more than one answer in a hundred waits for one, and p99 is a cold start's."""
MOST_PAUSE_S = 0.1
"""Before each warm request of the calibration, since instances pause, too, until a client comes: one that was idle
has the processor of a whole period at once, and answers sooner."""
SETTLED_S = 0.5
"""After the old instances have been ended, before new ones start: in a run the clients' process starts meanwhile."""
WITHIN = 0.15
LEAST_SHARE, SHARE_WITHIN = 0.1, 0.02
"""Shares below the first differ by at most the second: of 600 tries, chance alone moves them by more than 15%."""
COLD_STARTS, WARM_REQUESTS, REFUSALS = 2, 12, 5
"""Of each turn of the calibration: cold starts of all instances at once, and warm requests after each of these."""
_GO_FIRST = -10
PREDICTIONS = 80
"""Rounds that are simulated, each with another seed."""


@dataclass(frozen=True)
class Run:
    """What is compared: the function's concurrency, and the stage's throttle."""

    instances: int
    rate: float = NO_THROTTLE
    burst: float = NO_THROTTLE

    def __str__(self) -> str:
        throttle = f", throttle {self.rate:.0f} a second, burst {self.burst:.0f}" if self.rate < NO_THROTTLE else ""
        return f"{CLIENTS.number} clients on {self.instances} instances{throttle}"


RUNS = (Run(2), Run(4), Run(4, 6.0, 12.0))


@dataclass(frozen=True)
class Calibration:
    """What clients see that meet no other at an instance, in s."""

    cold_s: list[float]
    warm_s: list[float]
    function_s: list[float]
    """How long the function took of each warm request."""
    refused_s: list[float]

    @classmethod
    def together(cls, parts: Sequence["Calibration"]) -> "Calibration":
        """The requests of all turns."""
        found = ([second for part in parts for second in getattr(part, field.name)] for field in fields(cls))
        return cls(*found)

    @property
    def overhead_s(self) -> float:
        """What a client waits for in addition to the function."""
        return float(np.median(np.array(self.warm_s) - np.array(self.function_s)))

    @property
    def durations(self) -> Durations:
        """For the model. INIT and the first request are not told apart: together they are a cold request."""
        return Durations(np.zeros(1), np.array(self.cold_s) - self.overhead_s, np.array(self.function_s))


def calibrate(deployed: Deployed, host: Timed, run: Run, picture: bytes, chance: random.Random) -> Calibration:
    """One turn. As many instances start as in the run, and one after the other as there: they share the processors."""
    deployed.limit(0)
    refused_s = [_expect(deployed, picture, 503) for _ in range(REFUSALS)]
    deployed.limit(run.instances)
    cold_s, warm_s, function_s = list[float](), list[float](), list[float]()
    for _ in range(COLD_STARTS):
        deployed.make_cold()
        time.sleep(SETTLED_S)
        with ThreadPoolExecutor(run.instances) as pool:
            cold_s += pool.map(lambda after_s: _expect(deployed, picture, 200, after_s), first_requests(run, chance))
        for _ in range(WARM_REQUESTS):
            time.sleep(chance.uniform(0, MOST_PAUSE_S))
            warm_s.append(_expect(deployed, picture, 200))
            function_s.append(host.duration_s)
    return Calibration(cold_s, warm_s, function_s, refused_s)


def first_requests(run: Run, chance: random.Random) -> list[float]:
    """When the clients of a run need a new instance, in s after the first of them."""
    found = sorted(CLIENTS.pauses_s(chance) for _ in range(CLIENTS.number))[: run.instances]
    return [after_s - found[0] for after_s in found]


def predict(run: Run, calibration: Calibration) -> dict[str, float]:
    """The model's figures for a run."""
    seen, refused_s = [], float(np.median(calibration.refused_s))
    for seed in range(PREDICTIONS):
        fleet = Fleet(calibration.durations, run.instances, 0, FUNCTION_TIMEOUT_S, np.random.default_rng(seed))
        path = Path([Bucket(run.rate, run.burst)], fleet, FRONTS["http"].timeout_s, FUNCTION_TIMEOUT_S)
        seen.append(simulate_clients(path, CLIENTS, calibration.overhead_s, refused_s, seed))
    return Seen.together(seen).figures(PREDICTIONS * CLIENTS.seconds)


def observe(deployed: Deployed, run: Run, picture: FilePath, seed: int) -> Seen:
    """What the clients see in one round, which run in another process. All instances are new."""
    deployed.limit(run.instances, run.rate, run.burst)
    deployed.make_cold()
    given = (CLIENTS.number, CLIENTS.seconds, CLIENTS.pause_s, seed)
    command = [sys.executable, "-m", "benchmarks.peak.clients", deployed.url, str(picture), *map(str, given)]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    tries = json.loads(done.stdout.splitlines()[-1])
    unknown = {status for _, status in tries} - set(OUTCOMES)
    if unknown:
        raise RuntimeError(f"the API answers {', '.join(map(str, sorted(unknown)))}")
    latency_s, outcome = zip(*((took_s, OUTCOMES[status]) for took_s, status in tries), strict=True)
    return Seen(np.array(latency_s), np.array(outcome))


def agrees(predicted: float, seen: float, what: str) -> bool:
    """Whether they are near enough; see WITHIN and LEAST_SHARE."""
    if what.startswith("throttled") and max(predicted, seen) < LEAST_SHARE:
        return abs(seen - predicted) <= SHARE_WITHIN
    return abs(seen / predicted - 1) <= WITHIN if predicted else not seen


def check(shown: Shown, console: Console) -> int:
    """0 if every figure of every run is within 15% of its prediction."""
    shares = find_shares()
    with suppress(OSError):
        os.nice(_GO_FIRST)  # what stands between function and clients must not wait for other programs
    host = Timed(max_instances=8, processor=shares, additions=additions(shown))
    with LocalAws(host=host) as cloud, tempfile.TemporaryDirectory(prefix="slimception-") as folder:
        sent, picture = deployment.picture(), FilePath(folder, "picture.jpg")
        picture.write_bytes(sent)
        deployed = Deployed(cloud, interpreters.preferred())
        console.print(f"Deployed. Not on Lambda: {shown.heading}, {MEMORY_MB} MB, shares by {shares.name}.")
        held, chance = True, random.Random(0)
        for run in RUNS:
            turns, rounds = [], []
            for seed in range(ROUNDS):
                turns.append(calibrate(deployed, host, run, sent, chance))
                rounds.append(observe(deployed, run, picture, seed))
            calibration = Calibration.together(turns)
            predicted, seen = predict(run, calibration), Seen.together(rounds).figures(ROUNDS * CLIENTS.seconds)
            console.print(_table(run, calibration, predicted, seen))
            held &= all(agrees(predicted[what], seen[what], what) for what in predicted)
        deployed.close()
    console.print(f"{'All within' if held else 'Not within'} {WITHIN:.0%}.")
    return 0 if held else 1


def _table(run: Run, calibration: Calibration, predicted: dict[str, float], seen: dict[str, float]) -> Table:
    times = calibration.durations
    alone = f"alone: cold {1000 * np.median(times.first_s):.0f} ms, warm {1000 * np.median(times.warm_s):.0f} ms"
    around = (
        f"around it {1000 * calibration.overhead_s:.1f} ms, refused {1000 * np.median(calibration.refused_s):.1f} ms"
    )
    made = Table(title=f"{run}; {alone}, {around}")
    for column in ("", "predicted", "seen", "seen / predicted", ""):
        made.add_column(column, justify="right" if column else "left")
    for row in _rows(predicted, seen):
        made.add_row(*row)
    return made


def _rows(predicted: dict[str, float], seen: dict[str, float]) -> Iterator[tuple[str, ...]]:
    for what, value in predicted.items():
        digits = 1 if "ms" in what else 3
        ratio = f"{seen[what] / value:.3f}" if value else ""
        said = "" if agrees(value, seen[what], what) else "not within"
        yield what, f"{value:.{digits}f}", f"{seen[what]:.{digits}f}", ratio, said


def _expect(deployed: Deployed, picture: bytes, status: int, after_s: float = 0.0) -> float:
    time.sleep(after_s)
    took_s, found = send(deployed.url, picture)
    if found != status:
        raise RuntimeError(f"the API answers {found} in place of {status}")
    return took_s
