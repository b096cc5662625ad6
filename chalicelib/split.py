"""Two models share the work: which one a key gets is decided by a hash, so it is the same everywhere and for ever."""

import hashlib
from dataclasses import dataclass
from typing import Literal

Arm = Literal["A", "B"]


@dataclass(frozen=True)
class Split:
    """An experiment: of all keys the share `weight` (0 to 1) goes to model `second`, arm B, the rest to `first`, A."""

    experiment: str
    first: str
    second: str
    weight: float

    def arm(self, key: str) -> Arm:
        """The arm of a key. Keys of another experiment are dealt anew, independent of this one."""
        digest = hashlib.sha256(f"{self.experiment}\0{key}".encode()).digest()
        return "B" if int.from_bytes(digest[:8]) < self.weight * 2**64 else "A"

    def model(self, arm: Arm) -> str:
        """The name of an arm's model."""
        return self.first if arm == "A" else self.second
