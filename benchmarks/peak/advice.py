"""What holds the load: each step changes one thing, is simulated, and says what it brings."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.peak.limits import ACCOUNT_CONCURRENCY, REQUESTS_PER_ENVIRONMENT, UNRESERVED
from benchmarks.peak.periods import Period, whole
from benchmarks.peak.setup import Setup
from benchmarks.peak.simulation import Requests, simulate

HELD = 0.001
"""A load is held if at most this share of the requests gets no answer."""
MUCH = 1_000_000
"""Concurrency and requests a second that bound nothing."""
RETRIES = 8
ROOM = 1.5
"""How much more than the load the throttles take if clients try again."""
PROBE_S = 15.0
_ROUND_UP = 100
"""To whole hundreds, since quotas are asked for in such numbers."""


@dataclass(frozen=True)
class Step:
    """One simulated deployment."""

    name: str
    setup: Setup
    requests: Requests
    figures: Period

    @property
    def held(self) -> bool:
        """Whether nearly every request is answered."""
        return self.requests.unanswered_share <= HELD


def step(name: str, setup: Setup) -> Step:
    """Simulate it."""
    requests = simulate(setup)
    return Step(name, setup, requests, whole(setup, requests))


def steps(setup: Setup) -> Iterator[Step]:
    """From the deployment as it is to those that hold the load; it ends as soon as one holds it."""
    now = step("as it is", setup)
    yield now
    opened = _opened(setup)
    if not now.held and opened != setup:
        now = step(_names_of(setup, opened), opened)
        yield now
    if now.held:
        return
    asked = replace(opened, account_limit=_concurrency(opened), reserved=None)
    if asked.account_limit > setup.limit:
        now = step(f"concurrency {asked.account_limit:,}", asked)
        yield now
    if now.held:
        return
    retrying = _retrying(asked)
    yield step(f"concurrency {retrying.account_limit:,}, clients try again {RETRIES} times", retrying)
    yield step_with_provisioned(asked)


def step_with_provisioned(setup: Setup) -> Step:
    """The least provisioned concurrency, in hundreds, that holds the load, with models loaded in INIT."""
    ready = replace(setup, warm_in_init=True)
    least, most = 0, _up(setup.load.per_second * ready.durations.warm_s.max())
    while most - least > _ROUND_UP:
        middle = (least + most) // 2 // _ROUND_UP * _ROUND_UP
        least, most = (least, middle) if _holds_at_first(ready, middle) else (middle, most)
    free = simulate(replace(ready, provisioned=most, account_limit=MUCH))
    limit = max(ACCOUNT_CONCURRENCY, _up(most + max(UNRESERVED, len(free.cold_at_s)), setup.load.per_second))
    return step(f"{most:,} provisioned, concurrency {limit:,}", replace(ready, provisioned=most, account_limit=limit))


def _holds_at_first(setup: Setup, provisioned: int) -> bool:
    """Whether few enough requests are throttled in the first seconds; later ones find more environments."""
    load = replace(setup.load, minutes=1, only_s=PROBE_S)
    found = simulate(replace(setup, load=load, provisioned=provisioned, account_limit=MUCH))
    return int((~found.answered).sum()) <= HELD * setup.load.per_minute * setup.load.minutes


def _retrying(setup: Setup) -> Setup:
    """Clients that try again, with throttles that leave room for it."""
    again = replace(setup, retries=RETRIES, rate=ROOM * setup.rate)
    if again.account_rate is not None:
        again = replace(again, account_rate=ROOM * again.account_rate)
    return replace(again, account_limit=_concurrency(again))


def _opened(setup: Setup) -> Setup:
    """Throttles of API Gateway that let the load pass: the stage's up to the account's, and that raised if needed."""
    if setup.front.account_rate is None:
        return setup
    account = setup.account_rate or setup.front.account_rate
    needed = max(account, _up(setup.load.per_second))
    rate, burst = max(setup.rate, needed), max(setup.burst, setup.front.account_burst)
    return replace(setup, rate=rate, burst=burst, account_rate=needed)


def _names_of(setup: Setup, opened: Setup) -> str:
    account = setup.account_rate or setup.front.account_rate
    raised = f", the account's raised to {opened.account_rate:,.0f}" if opened.account_rate != account else ""
    return f"the stage's throttle {opened.rate:,.0f}{raised}"


def _concurrency(setup: Setup) -> int:
    """Environments that Lambda makes if no limit of the account stops it; the scaling rate does."""
    free = simulate(replace(setup, account_limit=MUCH, reserved=None))
    return max(setup.account_limit, _up(len(free.cold_at_s) + setup.provisioned, setup.load.per_second))


def _up(concurrency: float, rate: float = 0.0) -> int:
    """Enough of both, in whole hundreds."""
    return _ROUND_UP * math.ceil(max(concurrency, rate / REQUESTS_PER_ENVIRONMENT) / _ROUND_UP)
