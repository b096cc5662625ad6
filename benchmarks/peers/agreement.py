"""How far an engine's answers are from those of the network before conversion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 0.99
"""Below this share of the same first class, an engine's time says nothing: it computes something else."""


@dataclass(frozen=True)
class Agreement:
    """On pictures that were not used for calibration."""

    pictures: int
    same_first: float
    """Share of pictures on which the first class is the same, 0..1."""
    largest_difference: float
    """Of one score, 0..1, over all pictures and classes."""

    @classmethod
    def of(cls, scores: NDArray[np.float64], expected: NDArray[np.float64]) -> "Agreement":
        """Both (N, classes), in 0..1."""
        same = scores.argmax(axis=1) == expected.argmax(axis=1)
        return cls(len(scores), float(same.mean()), float(np.abs(scores - expected).max()))

    @property
    def counts(self) -> bool:
        """Whether the engine's time may be compared."""
        return self.same_first >= LEAST
