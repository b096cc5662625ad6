"""What `mutator` needs of anything that is fuzzed."""

from typing import Protocol


class Subject(Protocol):
    """What is tried. Both raise only for a fault of the code under test."""

    def make(self, seed: int, number: int) -> bytes:
        """The mutant with this number."""

    def try_out(self, mutant: bytes, number: int, /) -> bool:
        """Whether it was accepted."""


class Fault(Exception):
    """An answer that should not be."""
