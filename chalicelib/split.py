"""Two models share the work. A hash of the key decides which one gets it, so the answer is the same everywhere."""

import math
from typing import Literal, NamedTuple

Arm = Literal["A", "B"]
ARMS: tuple[Arm, Arm] = ("A", "B")


def dealt(name: str, key: str) -> float:
    """A number in [0, 1) for a key: uniform over keys, always the same for one, and independent for another name.

    It is the first 64 bits of a SHA-256 digest as a binary fraction, rounded down to a float: rounded up it could reach
    1, or a weight that the fraction itself stays below.
    """
    import hashlib  # loads OpenSSL: 2 ms, and most processes have no experiment

    number = int.from_bytes(hashlib.sha256(f"{name}\0{key}".encode()).digest()[:8])
    nearest = number / 2**64
    return nearest if nearest * 2**64 <= number else math.nextafter(nearest, 0.0)


class Split(NamedTuple):
    """An experiment: of all keys the share `weight` (0 to 1) goes to model `second`, arm B, the rest to `first`, A."""

    experiment: str
    first: str
    second: str
    weight: float

    def arm(self, key: str) -> Arm:
        """The arm of a key. Another experiment deals the same keys anew, independent of this one."""
        return "B" if dealt(self.experiment, key) < self.weight else "A"

    def model(self, arm: Arm) -> str:
        """The name of an arm's model."""
        return self.first if arm == "A" else self.second
