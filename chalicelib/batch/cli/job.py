"""What the command and a folder's processes send each other, apart from keys and lines."""

from pathlib import Path
from typing import NamedTuple

TRIES = 3
"""As often as the queue on AWS delivers a message: a picture's tries."""


class Job(NamedTuple):
    """A folder to classify; running the same job again resumes it."""

    folder: Path
    out: Path
    processes: int
    model: str | None = None
    top_k: int | None = None

    @property
    def journal(self) -> Path:
        """The file that keeps the answers until all are there."""
        return self.out.with_name(f"{self.out.name}.partial")


class Loaded(NamedTuple):
    """A process's first message: the model that it has loaded."""

    model: str
    version: str
