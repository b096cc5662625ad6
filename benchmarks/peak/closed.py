"""Clients in a closed loop: each sends, waits for the response, pauses, and sends again. Simulated, or seen."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace

import numpy as np

from benchmarks.peak.path import ANSWERED, THROTTLED_BY_FRONT, THROTTLED_BY_LAMBDA, Path

OUTCOMES = {200: ANSWERED, 429: THROTTLED_BY_FRONT, 503: THROTTLED_BY_LAMBDA}
"""By the statuses of an HTTP API."""


@dataclass(frozen=True)
class Clients:
    """How the clients behave, in s."""

    number: int
    seconds: float
    """After which they send nothing more."""
    pause_s: float
    """The mean of the pause after each response, throttled or not; it lies evenly between 0 and twice this."""

    def pauses_s(self, chance: random.Random) -> float:
        """One pause."""
        return chance.uniform(0, 2 * self.pause_s)


@dataclass(frozen=True)
class Seen:
    """Tries of all clients: arrays of one length."""

    latency_s: np.ndarray
    outcome: np.ndarray
    """As `benchmarks.peak.path` numbers them."""

    @classmethod
    def together(cls, parts: Sequence["Seen"]) -> "Seen":
        """The tries of all parts."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("latency_s", "outcome")))

    def figures(self, seconds: float) -> dict[str, float]:
        """What is compared, of tries in so many seconds.

        Latencies are those of answers, in ms; a share is of all tries.
        """
        answers_ms = 1000 * self.latency_s[self.outcome == ANSWERED]
        latency = {f"latency p{share}, ms": float(np.percentile(answers_ms, share)) for share in (50, 90, 99)}
        return {
            "answers a second": len(answers_ms) / seconds,
            **latency,
            "throttled by Lambda": float((self.outcome == THROTTLED_BY_LAMBDA).mean()),
            "throttled by the front": float((self.outcome == THROTTLED_BY_FRONT).mean()),
        }


def simulate_clients(path: Path, clients: Clients, overhead_s: float, refused_s: float, seed: int) -> Seen:
    """What the clients would see.

    `overhead_s`: what an answer takes in addition to the function, whose environment takes the next request meanwhile.
    `refused_s`: what a throttled request takes.
    """
    chance = random.Random(seed)
    following = [(clients.pauses_s(chance), number) for number in range(clients.number)]
    heapify(following)
    latency_s, outcome = list[float](), list[int]()
    while following[0][0] < clients.seconds:
        now, number = following[0]
        what, duration_s, _ = path.offer(now)
        latency_s.append(refused_s if what >= THROTTLED_BY_FRONT else overhead_s + duration_s)
        outcome.append(what)
        heapreplace(following, (now + latency_s[-1] + clients.pauses_s(chance), number))
    return Seen(np.array(latency_s), np.array(outcome))
