"""Compares the model with what 24 clients see of the app in `localaws`, on a few instances.

The model is fed by a calibration before: one client, one instance. No figure of a run that is compared goes into its
prediction. Each instance has the share of the processor that a small memory size buys, so that as many instances as are
compared do not disturb each other on two processors.
"""

import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from moto.apigatewayv2.models import apigatewayv2_backends
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.peak.clients import send
from benchmarks.peak.closed import OUTCOMES, Clients, Seen, simulate_clients
from benchmarks.peak.durations import Durations
from benchmarks.peak.fleet import Bucket, Fleet
from benchmarks.peak.limits import FRONTS, FUNCTION_TIMEOUT_S
from benchmarks.peak.path import Path
from benchmarks.tune.__main__ import find_shares
from localaws.cloud.local_aws import LocalAws
from localaws.deploy.deployer import PROJECT, Deployer
from localaws.host import interpreters
from localaws.host.function import Function
from localaws.host.lambda_host import LambdaHost
from localaws.host.masking import additions
from localaws.processor.mask import Shown

MEMORY_MB = 128
PICTURE_PX = (3200, 2400)
CLIENTS = Clients(number=24, seconds=10.0, pause_s=1.0)
ROUNDS = 3
"""Each begins with new instances: then more than one answer in a hundred waits for one, and p99 is a cold start's."""
MOST_PAUSE_S = 0.1
"""Before each warm request of the calibration, since instances pause, too, until a client comes: one that was idle
has the processor of a whole period at once, and answers sooner."""
WITHIN = 0.15
LEAST_SHARE = 0.02
"""Shares below this are compared as differences: there, a ratio says nothing."""
COLD_STARTS, WARM_REQUESTS, REFUSALS = 6, 120, 20
_GO_FIRST = -10
PREDICTIONS = 80
"""Rounds that are simulated, each with another seed."""


@dataclass(frozen=True)
class Run:
    """What is compared: the function's concurrency, and the stage's throttle."""

    instances: int
    rate: float = 1000.0
    burst: float = 1000.0

    def __str__(self) -> str:
        throttle = f", throttle {self.rate:.0f} a second, burst {self.burst:.0f}" if self.rate < 1000 else ""
        return f"{CLIENTS.number} clients on {self.instances} instances{throttle}"


RUNS = (Run(2), Run(4), Run(4, 6.0, 12.0))


class Deployed:
    """The app behind an HTTP API in `localaws`, called as a client calls it."""

    def __init__(self, cloud: LocalAws, python: Any) -> None:
        """Deploy it; raises DeployFailed."""
        self._cloud = cloud
        made = Deployer(cloud, python, say=lambda _: None, front="http").deploy()
        self.url, self._api_id = made.url, made.api_id
        self._function = next(name for name in made.functions if name.endswith("-front"))
        self._lambda = cloud.client("lambda")
        self._lambda.update_function_configuration(FunctionName=self._function, MemorySize=MEMORY_MB)

    def close(self) -> None:
        """Close the client of Lambda."""
        self._lambda.close()

    def limit(self, run: Run) -> None:
        """Set concurrency and throttle."""
        self._lambda.put_function_concurrency(FunctionName=self._function, ReservedConcurrentExecutions=run.instances)
        api = apigatewayv2_backends[Function.account_id][self._cloud.region].apis[self._api_id]  # has no UpdateStage
        settings = {"throttlingRateLimit": run.rate, "throttlingBurstLimit": run.burst}
        api.stages["$default"].default_route_settings = settings

    def make_cold(self) -> None:
        """End all instances."""
        self._cloud.host.stop_idle_instances(self._function)


def calibrate(deployed: Deployed, picture: bytes) -> tuple[Durations, float]:
    """What one client sees of one instance, and of a request that is throttled: the way there and back, in s."""
    deployed.limit(Run(0))
    refused = [_expect(deployed, picture, 503) for _ in range(REFUSALS)]
    overhead_s = float(np.median(refused[1:]))
    deployed.limit(Run(1))
    cold_s, warm_s, chance = [], [], random.Random(0)
    for _ in range(COLD_STARTS):
        deployed.make_cold()
        cold_s.append(_expect(deployed, picture, 200) - overhead_s)
        for _ in range(WARM_REQUESTS // COLD_STARTS):
            time.sleep(chance.uniform(0, MOST_PAUSE_S))
            warm_s.append(_expect(deployed, picture, 200) - overhead_s)
    # INIT and the first request are not told apart here: together they are what a cold request takes
    return Durations(np.zeros(1), np.array(cold_s), np.array(warm_s)), overhead_s


def predict(run: Run, durations: Durations, overhead_s: float) -> dict[str, float]:
    """The model's figures for a run."""
    seen = []
    for seed in range(PREDICTIONS):
        rng = np.random.default_rng(seed)
        fleet = Fleet(durations, run.instances, 0, FUNCTION_TIMEOUT_S, rng)
        path = Path([Bucket(run.rate, run.burst)], fleet, FRONTS["http"].timeout_s, FUNCTION_TIMEOUT_S)
        seen.append(simulate_clients(path, CLIENTS, overhead_s, seed))
    return Seen.together(seen).figures(PREDICTIONS * CLIENTS.seconds)


def observe(deployed: Deployed, run: Run, picture: FilePath) -> dict[str, float]:
    """What the clients see, which run in another process."""
    deployed.limit(run)
    seen = []
    for seed in range(ROUNDS):
        deployed.make_cold()
        given = (CLIENTS.number, CLIENTS.seconds, CLIENTS.pause_s, seed)
        command = [sys.executable, "-m", "benchmarks.peak.clients", deployed.url, str(picture), *map(str, given)]
        done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
        tries = json.loads(done.stdout.splitlines()[-1])
        unknown = {status for _, status in tries} - set(OUTCOMES)
        if unknown:
            raise RuntimeError(f"the API answers {', '.join(map(str, sorted(unknown)))}")
        latency_s, outcome = zip(*((took_s, OUTCOMES[status]) for took_s, status in tries), strict=True)
        seen.append(Seen(np.array(latency_s), np.array(outcome)))
    return Seen.together(seen).figures(ROUNDS * CLIENTS.seconds)


def agrees(predicted: float, seen: float, what: str) -> bool:
    """Whether they are near enough; see WITHIN and LEAST_SHARE."""
    if what.startswith("throttled") and max(predicted, seen) < LEAST_SHARE:
        return True
    return abs(seen / predicted - 1) <= WITHIN if predicted else not seen


def check(shown: Shown, console: Console) -> int:
    """0 if every figure of every run is within 15% of its prediction."""
    shares = find_shares()
    with suppress(OSError):
        os.nice(_GO_FIRST)  # what stands between function and clients must not wait for other programs
    host = LambdaHost(max_instances=8, processor=shares, additions=additions(shown))
    with LocalAws(host=host) as cloud, tempfile.TemporaryDirectory(prefix="slimception-") as folder:
        picture = FilePath(folder, "picture.jpg")
        picture.write_bytes(_picture())
        deployed = Deployed(cloud, interpreters.preferred())
        console.print("Deployed.")
        durations, overhead_s = calibrate(deployed, picture.read_bytes())
        console.print(
            f"Not on Lambda: {shown.heading}, {MEMORY_MB} MB, shares by {shares.name}. One client alone: cold"
            f" {1000 * np.median(durations.first_s):.0f} ms, warm {1000 * np.median(durations.warm_s):.0f} ms,"
            f" refused {1000 * overhead_s:.1f} ms."
        )
        held = True
        for run in RUNS:
            predicted, seen = predict(run, durations, overhead_s), observe(deployed, run, picture)
            made = Table(title=str(run))
            for column in ("", "predicted", "seen", "seen / predicted", ""):
                made.add_column(column, justify="right" if column else "left")
            for row in _rows(predicted, seen):
                made.add_row(*row)
            console.print(made)
            held &= all(agrees(predicted[what], seen[what], what) for what in predicted)
        deployed.close()
    console.print(f"{'All within' if held else 'Not within'} {WITHIN:.0%}.")
    return 0 if held else 1


def _rows(predicted: dict[str, float], seen: dict[str, float]) -> Iterator[tuple[str, ...]]:
    for what, value in predicted.items():
        digits = 1 if "ms" in what else 3
        ratio = f"{seen[what] / value:.3f}" if value else ""
        said = "" if agrees(value, seen[what], what) else "not within"
        yield what, f"{value:.{digits}f}", f"{seen[what]:.{digits}f}", ratio, said


def _expect(deployed: Deployed, picture: bytes, status: int) -> float:
    took_s, found = send(deployed.url, picture)
    if found != status:
        raise RuntimeError(f"the API answers {found} in place of {status}")
    return took_s


def _picture() -> bytes:
    """A JPEG that takes some time to decode, and has few bytes."""
    file = io.BytesIO()
    Image.radial_gradient("L").resize(PICTURE_PX).convert("RGB").save(file, "JPEG", quality=30)
    return file.getvalue()
