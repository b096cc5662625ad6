"""What a folder's processes are asked for, and what they say first."""

from pathlib import Path
from typing import NamedTuple


class Job(NamedTuple):
    """What is to be done; the same job again resumes."""

    folder: Path
    out: Path
    processes: int
    model: str | None = None
    top_k: int | None = None

    @property
    def journal(self) -> Path:
        """Where answers are kept until all are there."""
        return self.out.with_name(f"{self.out.name}.partial")


class Loaded(NamedTuple):
    """What a process says first: the model that it has loaded."""

    model: str
    version: str
