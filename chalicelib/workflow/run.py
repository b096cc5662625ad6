"""One execution of the workflow: what each of its groups needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from chalicelib.split import Split, dealt

OUTPUT = "workflows/"
"""The prefix of all that executions write, in the bucket of the pictures. No object under it is taken for a picture."""


@dataclass(frozen=True)
class Run:
    """Small enough to travel with every group: the whole plan would not fit a state's 256 KB."""

    bucket: str
    output_prefix: str
    """The prefix of this execution's files, with a slash at the end; "prefix" in the states' JSON and in log lines."""
    split: Split
    shadow: float = 0.0
    """The share of all pictures, 0 to 1, that both models classify."""

    def is_shadowed(self, key: str) -> bool:
        """Whether both models classify this picture; independent of its arm, and the same in every execution."""
        return dealt(f"{self.split.experiment}\0shadow", key) < self.shadow

    def to_dict(self) -> dict[str, Any]:
        """The field "run" of the states' JSON, whose keys are flat and older than the names here."""
        return {
            "bucket": self.bucket,
            "prefix": self.output_prefix,
            "experiment": self.split.experiment,
            "models": [self.split.first, self.split.second],
            "weight": self.split.weight,
            "shadow": self.shadow,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        first, second = values["models"]
        split = Split(values["experiment"], first, second, values["weight"])
        return cls(values["bucket"], values["prefix"], split, values["shadow"])
